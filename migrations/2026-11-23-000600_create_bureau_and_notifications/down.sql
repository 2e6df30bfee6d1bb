DROP TABLE sms_messages, notifications, sms_verifications, bureau_events, bureau_submissions, bureaus;
