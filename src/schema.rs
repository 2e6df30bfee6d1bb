// @generated automatically by Diesel CLI.

diesel::table! {
    accounts (id) {
        id -> Uuid,
        name -> Text,
        partner_id -> Nullable<Uuid>,
        external_reference -> Nullable<Text>,
        disabled_at -> Nullable<Timestamptz>,
        version -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    api_client_secrets (id) {
        id -> Uuid,
        api_client_id -> Uuid,
        secret_hash -> Bytea,
        hint -> Text,
        created_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
        last_used_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    api_clients (id) {
        id -> Uuid,
        partner_id -> Uuid,
        client_id -> Text,
        name -> Text,
        scopes -> Array<Nullable<Text>>,
        allowed_addresses -> Array<Nullable<Text>>,
        paused_at -> Nullable<Timestamptz>,
        version -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    attachments (id) {
        id -> Uuid,
        filing_id -> Uuid,
        account_id -> Uuid,
        purpose -> Text,
        state -> Text,
        refused_code -> Nullable<Text>,
        file_name -> Text,
        content_type -> Text,
        size_bytes -> Int8,
        sha256 -> Text,
        upload_key -> Text,
        upload_expires_at -> Timestamptz,
        object_key -> Nullable<Text>,
        created_by -> Uuid,
        created_at -> Timestamptz,
        completed_at -> Nullable<Timestamptz>,
        version -> Int4,
    }
}

diesel::table! {
    audit_events (id) {
        id -> Uuid,
        at -> Timestamptz,
        actor_user_id -> Nullable<Uuid>,
        actor_role -> Text,
        action -> Text,
        object_type -> Text,
        object_id -> Nullable<Uuid>,
        account_id -> Nullable<Uuid>,
        filing_id -> Nullable<Uuid>,
        request_id -> Nullable<Text>,
        address -> Nullable<Text>,
        details -> Jsonb,
    }
}

diesel::table! {
    backdrop_shipments (id) {
        id -> Uuid,
        filing_id -> Uuid,
        account_id -> Uuid,
        state -> Text,
        recipient_name -> Bytea,
        phone -> Bytea,
        province_code -> Text,
        city_code -> Text,
        district_code -> Nullable<Text>,
        street_address -> Bytea,
        postcode -> Nullable<Text>,
        charged_to -> Text,
        carrier_code -> Nullable<Text>,
        tracking_number -> Nullable<Text>,
        tracker_status -> Nullable<Text>,
        created_by -> Uuid,
        requested_at -> Timestamptz,
        packed_at -> Nullable<Timestamptz>,
        shipped_at -> Nullable<Timestamptz>,
        delivered_at -> Nullable<Timestamptz>,
        closed_at -> Nullable<Timestamptz>,
        version -> Int4,
        updated_at -> Timestamptz,
        tracked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    bureau_downloads (lane, file_name) {
        lane -> Text,
        file_name -> Text,
        row_count -> Int4,
        received_at -> Timestamptz,
        acknowledged_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    bureau_events (id) {
        id -> Uuid,
        submission_id -> Uuid,
        external_reference -> Text,
        kind -> Text,
        payload -> Jsonb,
        outcome -> Text,
        received_at -> Timestamptz,
        received_from -> Nullable<Uuid>,
    }
}

diesel::table! {
    bureau_lanes (code) {
        code -> Text,
        last_sequence_no -> Int8,
        is_in_step -> Bool,
        stopped_at -> Nullable<Timestamptz>,
        stop_reason -> Nullable<Text>,
    }
}

diesel::table! {
    bureau_submissions (id) {
        id -> Uuid,
        filing_id -> Uuid,
        revision_id -> Uuid,
        bureau_code -> Text,
        state -> Text,
        attempt_no -> Int4,
        queued_at -> Timestamptz,
        due_at -> Timestamptz,
        due_is_provisional -> Bool,
        sent_at -> Nullable<Timestamptz>,
        accepted_at -> Nullable<Timestamptz>,
        sequence_no -> Nullable<Int8>,
        external_reference -> Nullable<Text>,
        bureau_due_at -> Nullable<Timestamptz>,
        bureau_due_is_provisional -> Nullable<Bool>,
        sms_expires_at -> Nullable<Timestamptz>,
        decided_at -> Nullable<Timestamptz>,
        decided_by -> Nullable<Uuid>,
        result_code -> Nullable<Text>,
        result_text -> Nullable<Text>,
        last_error -> Nullable<Text>,
        version -> Int4,
        updated_at -> Timestamptz,
        lane -> Nullable<Text>,
        data_sequence -> Nullable<Int8>,
        data_state -> Nullable<Text>,
        failed_attempts -> Int4,
    }
}

diesel::table! {
    bureau_unmatched_results (id) {
        id -> Uuid,
        lane -> Text,
        file_name -> Text,
        external_reference -> Text,
        submission_id -> Nullable<Uuid>,
        order_no -> Text,
        icp_number -> Text,
        result_code -> Text,
        result_text -> Nullable<Text>,
        reason -> Text,
        received_at -> Timestamptz,
        resolved_at -> Nullable<Timestamptz>,
        resolved_by -> Nullable<Uuid>,
        resolution -> Nullable<Text>,
    }
}

diesel::table! {
    bureaus (code) {
        code -> Text,
        name_zh -> Text,
        name_en -> Text,
        paused_at -> Nullable<Timestamptz>,
        pause_reason -> Nullable<Text>,
        paused_by -> Nullable<Uuid>,
        last_sequence_no -> Int8,
        version -> Int4,
    }
}

diesel::table! {
    catalogue_rows (catalogue, key, effective_from) {
        catalogue -> Text,
        key -> Text,
        effective_from -> Date,
        position -> Int4,
        data -> Jsonb,
        source -> Text,
        changed_by -> Nullable<Uuid>,
        changed_at -> Timestamptz,
    }
}

diesel::table! {
    channel_breakers (channel) {
        channel -> Text,
        failures -> Int4,
        trips -> Int4,
        paused_until -> Nullable<Timestamptz>,
        probe_until -> Nullable<Timestamptz>,
        last_error -> Nullable<Text>,
        changed_at -> Timestamptz,
    }
}

diesel::table! {
    contact_verifications (id) {
        id -> Uuid,
        user_id -> Uuid,
        channel -> Text,
        contact -> Bytea,
        code_hash -> Bytea,
        wrong_attempts -> Int4,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    filing_batch_rows (batch_id, number) {
        batch_id -> Uuid,
        number -> Int4,
        state -> Text,
        website_id -> Nullable<Uuid>,
        external_reference -> Nullable<Text>,
        request -> Nullable<Bytea>,
        faults -> Int4,
        filing_id -> Nullable<Uuid>,
        result -> Nullable<Jsonb>,
    }
}

diesel::table! {
    filing_batches (id) {
        id -> Uuid,
        account_id -> Nullable<Uuid>,
        partner_id -> Nullable<Uuid>,
        created_by -> Uuid,
        request_id -> Text,
        address -> Nullable<Text>,
        state -> Text,
        row_count -> Int4,
        created_at -> Timestamptz,
        completed_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    filing_events (id) {
        id -> Uuid,
        filing_id -> Uuid,
        account_id -> Uuid,
        #[sql_name = "type"]
        type_ -> Text,
        visibility -> Text,
        at -> Timestamptz,
        actor_role -> Text,
        actor_user_id -> Nullable<Uuid>,
        status -> Text,
        filing_version -> Int4,
        data -> Jsonb,
    }
}

diesel::table! {
    filing_notes (id) {
        id -> Uuid,
        filing_id -> Uuid,
        author_id -> Uuid,
        body -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    filing_participants (filing_id, user_id) {
        filing_id -> Uuid,
        user_id -> Uuid,
    }
}

diesel::table! {
    filing_revision_attachments (revision_id, attachment_id) {
        revision_id -> Uuid,
        attachment_id -> Uuid,
    }
}

diesel::table! {
    filing_revisions (id) {
        id -> Uuid,
        filing_id -> Uuid,
        revision_no -> Int4,
        content_id -> Uuid,
        submitted_by -> Uuid,
        submitted_at -> Timestamptz,
        terms_id -> Uuid,
        consent_id -> Uuid,
        accepted_by_name -> Nullable<Text>,
        accepted_client -> Text,
        accepted_address -> Nullable<Text>,
        person_hash -> Bytea,
    }
}

diesel::table! {
    filings (id) {
        id -> Uuid,
        order_no -> Text,
        account_id -> Uuid,
        partner_id -> Nullable<Uuid>,
        external_reference -> Nullable<Text>,
        subject_id -> Uuid,
        website_id -> Uuid,
        kind -> Text,
        status -> Text,
        status_changed_at -> Timestamptz,
        province_code -> Text,
        base_version -> Int4,
        base_content_id -> Uuid,
        content_id -> Uuid,
        website_name -> Nullable<Text>,
        domain_names -> Array<Nullable<Text>>,
        conflicts -> Jsonb,
        revision_no -> Int4,
        version -> Int4,
        due_at -> Nullable<Timestamptz>,
        due_is_provisional -> Bool,
        step_expires_at -> Nullable<Timestamptz>,
        created_by -> Uuid,
        created_at -> Timestamptz,
        submitted_at -> Nullable<Timestamptz>,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    idempotency_keys (scope, key) {
        scope -> Text,
        key -> Text,
        body_hash -> Bytea,
        status -> Int4,
        headers -> Jsonb,
        body -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    jobs (id) {
        id -> Uuid,
        kind -> Text,
        payload -> Jsonb,
        dedup_key -> Nullable<Text>,
        state -> Text,
        run_at -> Timestamptz,
        attempts -> Int4,
        max_attempts -> Int4,
        lease_until -> Nullable<Timestamptz>,
        lease_token -> Nullable<Uuid>,
        last_error -> Nullable<Text>,
        created_at -> Timestamptz,
        finished_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    notification_preferences (user_id, event_type, channel) {
        user_id -> Uuid,
        event_type -> Text,
        channel -> Text,
        is_enabled -> Bool,
    }
}

diesel::table! {
    notifications (id) {
        id -> Uuid,
        user_id -> Uuid,
        filing_id -> Nullable<Uuid>,
        event_id -> Nullable<Uuid>,
        event_type -> Text,
        channel -> Text,
        state -> Text,
        locale -> Text,
        title -> Text,
        body -> Text,
        last_error -> Nullable<Text>,
        created_at -> Timestamptz,
        sent_at -> Nullable<Timestamptz>,
        read_at -> Nullable<Timestamptz>,
        variables -> Nullable<Jsonb>,
        provider -> Nullable<Text>,
        provider_reference -> Nullable<Text>,
        recipient_masked -> Nullable<Text>,
        recipient_hash -> Nullable<Bytea>,
        receipt -> Nullable<Text>,
        receipt_code -> Nullable<Text>,
        receipt_at -> Nullable<Timestamptz>,
        attempted_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    partner_events (event_id) {
        event_id -> Uuid,
        partner_id -> Uuid,
        published_at -> Timestamptz,
    }
}

diesel::table! {
    partners (id) {
        id -> Uuid,
        name -> Text,
        paused_at -> Nullable<Timestamptz>,
        version -> Int4,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    password_resets (id) {
        id -> Uuid,
        user_id -> Uuid,
        token_hash -> Bytea,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    photo_fingerprints (photo_verification_id) {
        photo_verification_id -> Uuid,
        no -> Int8,
        words -> Array<Nullable<Int8>>,
    }
}

diesel::table! {
    photo_precheck_settings (code) {
        code -> Text,
        mode -> Text,
        changed_by -> Uuid,
        changed_at -> Timestamptz,
    }
}

diesel::table! {
    photo_verifications (id) {
        id -> Uuid,
        filing_id -> Uuid,
        account_id -> Uuid,
        attempt_no -> Int4,
        state -> Text,
        file_name -> Text,
        content_type -> Text,
        size_bytes -> Int8,
        sha256 -> Text,
        upload_key -> Text,
        upload_expires_at -> Timestamptz,
        object_key -> Nullable<Text>,
        person_hash -> Bytea,
        findings -> Jsonb,
        created_by -> Uuid,
        created_at -> Timestamptz,
        submitted_at -> Nullable<Timestamptz>,
        checked_at -> Nullable<Timestamptz>,
        decided_at -> Nullable<Timestamptz>,
        version -> Int4,
        original_key -> Nullable<Text>,
        original_deleted_at -> Nullable<Timestamptz>,
        preview_key -> Nullable<Text>,
    }
}

diesel::table! {
    refresh_tokens (id) {
        id -> Uuid,
        session_id -> Uuid,
        token_hash -> Bytea,
        issued_at -> Timestamptz,
        expires_at -> Timestamptz,
        used_at -> Nullable<Timestamptz>,
        successor_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    rejection_items (id) {
        id -> Uuid,
        rejection_id -> Uuid,
        filing_id -> Uuid,
        position -> Int4,
        target_kind -> Text,
        pointer -> Nullable<Text>,
        material_code -> Nullable<Text>,
        code -> Text,
        reason -> Text,
        suggestion -> Nullable<Text>,
        is_repeated -> Bool,
        applicant_reply -> Nullable<Text>,
        replied_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    rejections (id) {
        id -> Uuid,
        filing_id -> Uuid,
        revision_id -> Uuid,
        round -> Int4,
        source -> Text,
        note -> Nullable<Text>,
        created_by -> Nullable<Uuid>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    review_task_holders (task_id, user_id) {
        task_id -> Uuid,
        user_id -> Uuid,
        filing_id -> Uuid,
    }
}

diesel::table! {
    review_tasks (id) {
        id -> Uuid,
        filing_id -> Uuid,
        stage -> Text,
        state -> Text,
        revision_id -> Uuid,
        photo_verification_id -> Nullable<Uuid>,
        round -> Int4,
        province_code -> Text,
        is_escalated -> Bool,
        due_at -> Timestamptz,
        due_is_provisional -> Bool,
        claimed_by -> Nullable<Uuid>,
        claimed_at -> Nullable<Timestamptz>,
        lease_expires_at -> Nullable<Timestamptz>,
        assigned_to -> Nullable<Uuid>,
        checklist -> Jsonb,
        draft -> Nullable<Jsonb>,
        decided_by -> Nullable<Uuid>,
        decided_at -> Nullable<Timestamptz>,
        version -> Int4,
        created_at -> Timestamptz,
        order_no -> Text,
        subject_name -> Text,
        website_name -> Nullable<Text>,
    }
}

diesel::table! {
    sessions (id) {
        id -> Uuid,
        user_id -> Uuid,
        client -> Text,
        created_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
        api_client_secret_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    sms_messages (id) {
        id -> Uuid,
        notification_id -> Nullable<Uuid>,
        recipient -> Bytea,
        text -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    sms_verifications (id) {
        id -> Uuid,
        submission_id -> Uuid,
        role -> Text,
        mobile -> Bytea,
        state -> Text,
        wrong_attempts -> Int4,
        confirmed_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    subjects (id) {
        id -> Uuid,
        account_id -> Uuid,
        icp_number -> Text,
        name -> Text,
        nature -> Text,
        certificate_type -> Text,
        certificate_number -> Bytea,
        certificate_address -> Bytea,
        certificate_valid_from -> Nullable<Date>,
        certificate_valid_to -> Nullable<Date>,
        certificate_long_term -> Bool,
        investor -> Nullable<Text>,
        legal_representative_name -> Nullable<Text>,
        legal_representative_certificate_type -> Nullable<Text>,
        legal_representative_certificate_number -> Nullable<Bytea>,
        person_name -> Text,
        person_certificate_type -> Text,
        person_certificate_number -> Bytea,
        person_certificate_valid_from -> Nullable<Date>,
        person_certificate_valid_to -> Nullable<Date>,
        person_certificate_long_term -> Bool,
        person_mobile -> Bytea,
        person_mobile_hash -> Nullable<Bytea>,
        person_emergency_phone -> Bytea,
        person_office_phone -> Nullable<Bytea>,
        person_email -> Bytea,
        person_email_hash -> Nullable<Bytea>,
        province_code -> Text,
        city_code -> Text,
        district_code -> Nullable<Text>,
        correspondence_address -> Bytea,
        remark -> Nullable<Text>,
        version -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    terms (id) {
        id -> Uuid,
        kind -> Text,
        version -> Text,
        text_zh -> Text,
        text_en -> Text,
        sha256 -> Text,
        effective_at -> Timestamptz,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    throttle_counters (key) {
        key -> Text,
        window_started_at -> Timestamptz,
        count -> Int4,
    }
}

diesel::table! {
    tracking_events (id) {
        id -> Uuid,
        shipment_id -> Uuid,
        at -> Timestamptz,
        status -> Text,
        place -> Nullable<Text>,
        text -> Text,
        raw_code -> Nullable<Text>,
        recorded_by -> Nullable<Uuid>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    undeliverable_contacts (id) {
        id -> Uuid,
        user_id -> Uuid,
        channel -> Text,
        source -> Text,
        code -> Nullable<Text>,
        found_at -> Timestamptz,
        cleared_at -> Nullable<Timestamptz>,
        cleared_because -> Nullable<Text>,
    }
}

diesel::table! {
    users (id) {
        id -> Uuid,
        login -> Text,
        display_name -> Text,
        password_hash -> Text,
        account_id -> Nullable<Uuid>,
        roles -> Array<Nullable<Text>>,
        email -> Nullable<Bytea>,
        email_hash -> Nullable<Bytea>,
        email_verified_at -> Nullable<Timestamptz>,
        mobile -> Nullable<Bytea>,
        mobile_verified_at -> Nullable<Timestamptz>,
        locale -> Text,
        disabled_at -> Nullable<Timestamptz>,
        version -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        api_client_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    webhook_attempts (id) {
        id -> Uuid,
        delivery_id -> Uuid,
        at -> Timestamptz,
        url -> Text,
        duration_ms -> Int4,
        response_status -> Nullable<Int4>,
        response_body -> Nullable<Text>,
        error -> Nullable<Text>,
    }
}

diesel::table! {
    webhook_deliveries (id) {
        id -> Uuid,
        endpoint_id -> Uuid,
        event_id -> Uuid,
        event_type -> Text,
        body -> Text,
        state -> Text,
        round -> Int4,
        tries -> Int4,
        next_try_at -> Nullable<Timestamptz>,
        last_status -> Nullable<Int4>,
        last_error -> Nullable<Text>,
        created_at -> Timestamptz,
        delivered_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    webhook_endpoints (id) {
        id -> Uuid,
        partner_id -> Uuid,
        url -> Text,
        description -> Nullable<Text>,
        event_types -> Array<Nullable<Text>>,
        secret -> Bytea,
        previous_secret -> Nullable<Bytea>,
        previous_secret_ends_at -> Nullable<Timestamptz>,
        contact_email -> Nullable<Bytea>,
        disabled_at -> Nullable<Timestamptz>,
        disabled_reason -> Nullable<Text>,
        failing_since -> Nullable<Timestamptz>,
        unanswered -> Int4,
        not_before -> Nullable<Timestamptz>,
        version -> Int4,
        created_by -> Uuid,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    website_contents (id) {
        id -> Uuid,
        name -> Nullable<Text>,
        home_url -> Nullable<Text>,
        domains -> Jsonb,
        service_content -> Jsonb,
        languages -> Jsonb,
        pre_approvals -> Nullable<Jsonb>,
        person_name -> Nullable<Text>,
        person_certificate_type -> Nullable<Text>,
        person_certificate_number -> Nullable<Bytea>,
        person_certificate_valid_from -> Nullable<Date>,
        person_certificate_valid_to -> Nullable<Date>,
        person_certificate_long_term -> Nullable<Bool>,
        person_mobile -> Nullable<Bytea>,
        person_mobile_hash -> Nullable<Bytea>,
        person_emergency_phone -> Nullable<Bytea>,
        person_office_phone -> Nullable<Bytea>,
        person_email -> Nullable<Bytea>,
        person_email_hash -> Nullable<Bytea>,
        same_as_subject_responsible_person -> Nullable<Bool>,
        remark -> Nullable<Text>,
    }
}

diesel::table! {
    website_versions (website_id, version_no) {
        website_id -> Uuid,
        version_no -> Int4,
        content_id -> Uuid,
        filing_id -> Nullable<Uuid>,
        effective_at -> Timestamptz,
    }
}

diesel::table! {
    websites (id) {
        id -> Uuid,
        account_id -> Uuid,
        subject_id -> Uuid,
        icp_number -> Text,
        service_kind -> Text,
        access -> Jsonb,
        filed_version -> Int4,
        content_id -> Uuid,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        name -> Nullable<Text>,
        domain_names -> Array<Nullable<Text>>,
    }
}

diesel::joinable!(accounts -> partners (partner_id));
diesel::joinable!(api_client_secrets -> api_clients (api_client_id));
diesel::joinable!(api_clients -> partners (partner_id));
diesel::joinable!(attachments -> accounts (account_id));
diesel::joinable!(attachments -> filings (filing_id));
diesel::joinable!(attachments -> users (created_by));
diesel::joinable!(audit_events -> users (actor_user_id));
diesel::joinable!(backdrop_shipments -> accounts (account_id));
diesel::joinable!(backdrop_shipments -> filings (filing_id));
diesel::joinable!(backdrop_shipments -> users (created_by));
diesel::joinable!(bureau_downloads -> bureau_lanes (lane));
diesel::joinable!(bureau_events -> bureau_submissions (submission_id));
diesel::joinable!(bureau_events -> users (received_from));
diesel::joinable!(bureau_submissions -> bureau_lanes (lane));
diesel::joinable!(bureau_submissions -> bureaus (bureau_code));
diesel::joinable!(bureau_submissions -> filing_revisions (revision_id));
diesel::joinable!(bureau_submissions -> filings (filing_id));
diesel::joinable!(bureau_submissions -> users (decided_by));
diesel::joinable!(bureau_unmatched_results -> bureau_lanes (lane));
diesel::joinable!(bureau_unmatched_results -> bureau_submissions (submission_id));
diesel::joinable!(bureau_unmatched_results -> users (resolved_by));
diesel::joinable!(bureaus -> users (paused_by));
diesel::joinable!(catalogue_rows -> users (changed_by));
diesel::joinable!(contact_verifications -> users (user_id));
diesel::joinable!(filing_batch_rows -> filing_batches (batch_id));
diesel::joinable!(filing_batch_rows -> filings (filing_id));
diesel::joinable!(filing_batches -> accounts (account_id));
diesel::joinable!(filing_batches -> partners (partner_id));
diesel::joinable!(filing_batches -> users (created_by));
diesel::joinable!(filing_events -> accounts (account_id));
diesel::joinable!(filing_events -> filings (filing_id));
diesel::joinable!(filing_events -> users (actor_user_id));
diesel::joinable!(filing_notes -> filings (filing_id));
diesel::joinable!(filing_notes -> users (author_id));
diesel::joinable!(filing_participants -> filings (filing_id));
diesel::joinable!(filing_participants -> users (user_id));
diesel::joinable!(filing_revision_attachments -> attachments (attachment_id));
diesel::joinable!(filing_revision_attachments -> filing_revisions (revision_id));
diesel::joinable!(filing_revisions -> filings (filing_id));
diesel::joinable!(filing_revisions -> users (submitted_by));
diesel::joinable!(filing_revisions -> website_contents (content_id));
diesel::joinable!(filings -> accounts (account_id));
diesel::joinable!(filings -> partners (partner_id));
diesel::joinable!(filings -> subjects (subject_id));
diesel::joinable!(filings -> users (created_by));
diesel::joinable!(filings -> websites (website_id));
diesel::joinable!(notification_preferences -> users (user_id));
diesel::joinable!(notifications -> filings (filing_id));
diesel::joinable!(notifications -> users (user_id));
diesel::joinable!(partner_events -> filing_events (event_id));
diesel::joinable!(partner_events -> partners (partner_id));
diesel::joinable!(password_resets -> users (user_id));
diesel::joinable!(photo_fingerprints -> photo_verifications (photo_verification_id));
diesel::joinable!(photo_precheck_settings -> users (changed_by));
diesel::joinable!(photo_verifications -> accounts (account_id));
diesel::joinable!(photo_verifications -> filings (filing_id));
diesel::joinable!(photo_verifications -> users (created_by));
diesel::joinable!(refresh_tokens -> sessions (session_id));
diesel::joinable!(rejection_items -> filings (filing_id));
diesel::joinable!(rejection_items -> rejections (rejection_id));
diesel::joinable!(rejections -> filing_revisions (revision_id));
diesel::joinable!(rejections -> filings (filing_id));
diesel::joinable!(rejections -> users (created_by));
diesel::joinable!(review_task_holders -> filings (filing_id));
diesel::joinable!(review_task_holders -> review_tasks (task_id));
diesel::joinable!(review_task_holders -> users (user_id));
diesel::joinable!(review_tasks -> filing_revisions (revision_id));
diesel::joinable!(review_tasks -> filings (filing_id));
diesel::joinable!(review_tasks -> photo_verifications (photo_verification_id));
diesel::joinable!(sessions -> api_client_secrets (api_client_secret_id));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(sms_messages -> notifications (notification_id));
diesel::joinable!(sms_verifications -> bureau_submissions (submission_id));
diesel::joinable!(subjects -> accounts (account_id));
diesel::joinable!(tracking_events -> backdrop_shipments (shipment_id));
diesel::joinable!(tracking_events -> users (recorded_by));
diesel::joinable!(undeliverable_contacts -> users (user_id));
diesel::joinable!(users -> accounts (account_id));
diesel::joinable!(users -> api_clients (api_client_id));
diesel::joinable!(webhook_attempts -> webhook_deliveries (delivery_id));
diesel::joinable!(webhook_deliveries -> webhook_endpoints (endpoint_id));
diesel::joinable!(webhook_endpoints -> partners (partner_id));
diesel::joinable!(webhook_endpoints -> users (created_by));
diesel::joinable!(website_versions -> filings (filing_id));
diesel::joinable!(website_versions -> website_contents (content_id));
diesel::joinable!(website_versions -> websites (website_id));
diesel::joinable!(websites -> accounts (account_id));
diesel::joinable!(websites -> subjects (subject_id));
diesel::joinable!(websites -> website_contents (content_id));

diesel::allow_tables_to_appear_in_same_query!(
    accounts,
    api_client_secrets,
    api_clients,
    attachments,
    audit_events,
    backdrop_shipments,
    bureau_downloads,
    bureau_events,
    bureau_lanes,
    bureau_submissions,
    bureau_unmatched_results,
    bureaus,
    catalogue_rows,
    channel_breakers,
    contact_verifications,
    filing_batch_rows,
    filing_batches,
    filing_events,
    filing_notes,
    filing_participants,
    filing_revision_attachments,
    filing_revisions,
    filings,
    idempotency_keys,
    jobs,
    notification_preferences,
    notifications,
    partner_events,
    partners,
    password_resets,
    photo_fingerprints,
    photo_precheck_settings,
    photo_verifications,
    refresh_tokens,
    rejection_items,
    rejections,
    review_task_holders,
    review_tasks,
    sessions,
    sms_messages,
    sms_verifications,
    subjects,
    terms,
    throttle_counters,
    tracking_events,
    undeliverable_contacts,
    users,
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
    website_contents,
    website_versions,
    websites,
);
