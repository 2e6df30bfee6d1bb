ALTER TABLE review_tasks DROP COLUMN order_no, DROP COLUMN subject_name, DROP COLUMN website_name;
