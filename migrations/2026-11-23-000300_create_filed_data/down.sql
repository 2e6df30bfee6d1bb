DROP TABLE website_versions, websites, website_contents, subjects;
