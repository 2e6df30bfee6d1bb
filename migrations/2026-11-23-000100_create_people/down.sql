DROP TABLE notification_preferences, throttle_counters, contact_verifications, password_resets, refresh_tokens, sessions,
    users, accounts, partners;
