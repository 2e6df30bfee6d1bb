DROP TABLE tracking_events, backdrop_shipments, review_task_holders, review_tasks, photo_verifications;
