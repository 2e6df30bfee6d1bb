#!/bin/sh
# The whole job over HTTP, as people would do it: change a filed website, from log-in to the bureau's decision.
# Both branches of everything: initial rejection and resubmission, backdrop by courier, a photo that the program refuses,
# one that the reviewer refuses, the bureau's refusal, then its approval. Needs curl and jq, and a server with demo data:
#
#     examples/change-website.sh [BASE_URL]        (default: the address of ./dev run, else http://127.0.0.1:8080)
#
# Environment: APPLICANT (default demo-applicant-2) is the demo user whose website is changed.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
files=$here/files
address_file=${DATA_DIR:-$here/../.data}/address
if [ $# -gt 0 ]; then base=$1
elif [ -r "$address_file" ]; then base=$(cat "$address_file")
else base=http://127.0.0.1:8080
fi
applicant_login=${APPLICANT:-demo-applicant-2}
password=demo-password-2026
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
# Marks this run: names and files differ from run to run.
run=$(date +%s)

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# call TOKEN METHOD PATH [BODY] [HEADER]: prints the reply's body; any status but 2xx ends the walk.
call() {
    token=$1 method=$2 path=$3 body=${4:-} header=${5:-X-Walk: 1}
    set -- -sS -X "$method" "$base$path" -D "$work/headers" -o "$work/body" -w '%{http_code}' \
        -H "Authorization: Bearer $token" -H "$header"
    [ -z "$body" ] || set -- "$@" -H 'Content-Type: application/json' --data-binary "$body"
    status=$(curl "$@")
    case $status in
        2??) cat "$work/body" ;;
        *) printf '%s %s answered %s:\n' "$method" "$path" "$status" >&2; cat "$work/body" >&2; echo >&2; exit 1 ;;
    esac
}
etag() { sed -n 's/^[Ee][Tt][Aa][Gg]: *\(.*[^[:space:]]\).*/\1/p' "$work/headers"; }
login() {
    curl -sS "$base/v1/auth/login" -H 'Content-Type: application/json' \
        -d "{\"login\":\"$1\",\"password\":\"$password\"}" | jq -er .access_token || fail "cannot log in as $1 at $base"
}
sha256() { if command -v sha256sum >/dev/null 2>&1; then sha256sum "$1" | cut -d' ' -f1; else shasum -a 256 "$1" | cut -d' ' -f1; fi; }

# put UPLOAD FILE: sends a file straight to the store, with exactly the headers that were signed.
put() {
    printf '%s' "$1" | jq -r '.headers | to_entries[] | select((.key | ascii_downcase) != "content-length" and (.key | ascii_downcase) != "host") | "header = \"\(.key): \(.value)\""' >"$work/curl.conf"
    code=$(curl -sS -K "$work/curl.conf" -X "$(printf '%s' "$1" | jq -r .method)" --data-binary "@$2" -o "$work/put" -w '%{http_code}' "$(printf '%s' "$1" | jq -r .url)")
    case $code in 2??) ;; *) cat "$work/put" >&2; fail "the upload answered $code" ;; esac
}
declaration() { # FILE NAME TYPE [PURPOSE]
    jq -nc --arg n "$2" --arg t "$3" --argjson s "$(wc -c <"$1" | tr -d ' ')" --arg h "$(sha256 "$1")" --arg p "${4:-}" \
        '{file_name: $n, content_type: $t, size_bytes: $s, sha256: $h} + (if $p == "" then {} else {purpose: $p} end)'
}

show() { # what the page says now
    call "$applicant" GET "/v1/filings/$filing" >"$work/filing"
    tag=$(etag)
    jq -r '"   \(.order_no)  \(.status) \(.status_label)  |  \(.prompt.title)  |  due \(.due_at // "-")",
           "   next: \([.next_actions[] | select(.is_enabled) | .label] | join("、"))"' "$work/filing"
}
expect() { # STATUS, waiting for jobs up to a minute
    tries=0
    while :; do
        now=$(call "$applicant" GET "/v1/filings/$filing" | jq -r .status)
        [ "$now" = "$1" ] && break
        tries=$((tries + 1))
        [ $tries -lt 120 ] || fail "the filing is $now and should be $1"
        sleep 0.5
    done
    show
}
patch() { call "$applicant" PATCH "/v1/filings/$filing" "$1" "If-Match: $tag" >/dev/null; }
material() { # PURPOSE FILE NAME TYPE
    created=$(call "$applicant" POST "/v1/filings/$filing/attachments" "$(declaration "$2" "$3" "$4" "$1")")
    put "$(printf '%s' "$created" | jq -c .upload)" "$2"
    call "$applicant" POST "/v1/attachments/$(printf '%s' "$created" | jq -r .id)/complete" | jq -r '"   \(.purpose): \(.file_name) \(.state)"'
}
submit() {
    show >/dev/null
    call "$applicant" POST "/v1/filings/$filing/submit" "$acceptance" "If-Match: $tag" >/dev/null
    expect initial_review
}
claim() { # STAGE: the reviewer takes this filing's task
    task=$(call "$reviewer" GET "/v1/reviews?stage=$1&q=$(jq -r .order_no "$work/filing")" | jq -r '.items[0].id')
    call "$reviewer" POST "/v1/reviews/$task/claim" >/dev/null
    call "$reviewer" GET "/v1/reviews/$task" >"$work/review"
}
approve() {
    checklist=$(jq -c '{checklist: [.checklist[].code]}' "$work/review")
    call "$reviewer" POST "/v1/reviews/$task/approve" "$checklist" >/dev/null
}
reject() { call "$reviewer" POST "/v1/reviews/$task/reject" "$1" >/dev/null; }
photo() { # FILE
    cp "$1" "$work/photo.jpg"
    printf 'run-%s-%s' "$run" "$2" >>"$work/photo.jpg"
    created=$(call "$applicant" POST "/v1/filings/$filing/photo-verifications" "$(declaration "$work/photo.jpg" 核验照片.jpg image/jpeg)")
    put "$(printf '%s' "$created" | jq -c .upload)" "$work/photo.jpg"
    photo_id=$(printf '%s' "$created" | jq -r .id)
    call "$applicant" POST "/v1/photo-verifications/$photo_id/submit" | jq -r '"   photo \(.attempt_no): \(.state)"'
}

say "Log in (pictures 1-2) at $base"
applicant=$(login "$applicant_login")
reviewer=$(login demo-reviewer)
logistics=$(login demo-logistics)
bureau=$(login demo-bureau)
admin=$(login demo-admin)
call "$applicant" GET /v1/me | jq -r '"   \(.login) \(.display_name)"'

say "Choose 变更网站信息 on the home page (picture 3)"
call "$applicant" GET /v1/overview >"$work/overview"
website=$(jq -er '.websites[] | select(.live_filing_id == null) | .id' "$work/overview" | head -n 1) ||
    fail "the website of $applicant_login has a live filing; abandon it, or set APPLICANT to another demo user"
jq -r '.websites[0] | "   \(.icp_number) \(.name) \(.domain_names | join(" "))"' "$work/overview"
filing=$(call "$applicant" POST /v1/filings "$(jq -nc --arg w "$website" --arg r "walk-$run" '{kind: "website_change", website_id: $w, external_reference: $r}')" "Idempotency-Key: walk-$run" | jq -r .id)
show

say "Edit the website, wrongly at first (picture 4); check tells every problem at once"
patch '{"website": {"name": "123", "same_as_subject_responsible_person": false, "responsible_person": {
    "name": "赵明", "certificate_type": "resident_identity_card", "certificate_number": "11010519491231002Y",
    "certificate_valid_from": "2016-05-01", "certificate_valid_to": "2046-05-01", "certificate_long_term": false,
    "mobile": "13900001234", "emergency_phone": "13900001234", "office_phone": null, "email": "zhaoming@example.com"}}}'
call "$applicant" POST "/v1/filings/$filing/check" | jq -r '"   can submit: \(.can_submit)", (.findings[] | "   \(.severity) \(.pointer): \(.message)")'

say "Mend it"
show >/dev/null
# A mobile and an address serve one subject: each run has its own.
patch "$(jq -nc --arg n "光影读书笔记" --arg m "139$(printf '%08d' $((run % 100000000)))" --arg e "zhaoming-$run@example.com" '{website: {name: $n, remark: "更换负责人", responsible_person: {certificate_number: "11010519491231002X", mobile: $m, emergency_phone: "13800005678", email: $e}}}')"
call "$applicant" GET "/v1/filings/$filing/diff" | jq -r '.changes[] | "   \(.label): \(.before) -> \(.after)"'

say "Upload the materials that the change needs (picture 5)"
call "$applicant" GET "/v1/filings/$filing/requirements" | jq -r '.items[] | "   needed: \(.label) (\(.code)): \(.why)"'
for code in $(call "$applicant" GET "/v1/filings/$filing/requirements" | jq -r '.items[] | select(.required and (.is_satisfied | not)) | .code'); do
    case $code in
        identity_card_front) material "$code" "$files/identity-card-front.jpg" 身份证人像面.jpg image/jpeg ;;
        identity_card_back) material "$code" "$files/identity-card-back.jpg" 身份证国徽面.jpg image/jpeg ;;
        *) material "$code" "$files/authorisation-letter.pdf" 证明材料.pdf application/pdf ;;
    esac
done

say "Read the terms, accept, submit (pictures 6-7)"
call "$applicant" GET /v1/terms/current >"$work/terms"
acceptance=$(jq -c '{terms_version: .service_terms.version, personal_information_consent_version: .personal_information_consent.version, accepted_by_name: "赵明"}' "$work/terms")
submit

say "The reviewer rejects with a precise reason (picture 8)"
claim initial_review
jq -r '"   \(.subject_name): \(.order_no), round \(.round)"' "$work/review"
reject '{"items": [{"target_kind": "field", "pointer": "/website/name", "code": "SITE_NAME_UNRELATED", "reason": "名称与网站内容无关，请使用与内容相符的名称"}], "note": "请修改后重新提交"}'
expect initial_rejected
jq -r '.rejection.items[] | "   \(.label): \(.title) - \(.reason) (\(.suggestion))"' "$work/filing"

say "修改提交: edit, reply, resubmit; the reviewer approves"
# The bureau's simulator refuses a name with 驳回: the first hand-over shall fail.
patch "$(jq -c --arg n "读书笔记驳回集" '{website: {name: $n}, rejection_replies: [{item_id: .rejection.items[0].id, reply: "已改为与内容相符的名称"}]}' "$work/filing")"
submit
claim initial_review
approve
expect photo_required

say "Order a backdrop by courier (pictures 9, 12-14)"
shipment=$(call "$applicant" POST "/v1/filings/$filing/backdrop-shipments" '{"recipient_name": "赵明", "phone": "13900001234", "province_code": "110000", "city_code": "110100", "district_code": "110105", "street_address": "示例大街2号院3号楼402室", "postcode": "100020"}' | jq -r .id)
show
call "$logistics" POST "/v1/backdrop-shipments/$shipment/pack" >/dev/null
call "$logistics" POST "/v1/backdrop-shipments/$shipment/ship" "$(jq -nc --arg n "SF1${run}01" '{carrier_code: "shunfeng", tracking_number: $n}')" >/dev/null
say "Shipped: courier and number (pictures 15-16)"
show
jq -r '.current_shipment | "   \(.state_label // .state): \(.carrier_name // .carrier_code) \(.tracking_number)"' "$work/filing"
call "$logistics" POST "/v1/backdrop-shipments/$shipment/mark-delivered" >/dev/null
show

say "The photo guide (picture 10), and a photo that the program refuses at once"
call "$applicant" GET /v1/photo-guide | jq -r '.items[]? | "   \(.text // .title)"'
photo "$files/photo-too-small.jpg" small
tries=0
until [ "$(call "$applicant" GET "/v1/photo-verifications/$photo_id" | jq -r .state)" = precheck_failed ]; do
    tries=$((tries + 1)); [ $tries -lt 120 ] || fail "the small photo was not refused"; sleep 0.5
done
call "$applicant" GET "/v1/photo-verifications/$photo_id" | jq -r '.findings[] | "   \(.code): \(.message) (\(.measured), limit \(.limit))"'

say "Try a photo before sending it: a wall instead of the cloth"
curl -sS "$base/v1/photo-guide/check" -H "Authorization: Bearer $applicant" -H 'Content-Type: image/jpeg' \
    --data-binary "@$files/photo-no-backdrop.jpg" | jq -r '"   acceptable: \(.is_acceptable)", (.findings[] | "   \(.code): \(.message) (\(.measured), limit \(.limit))")'

# The same two pictures serve every run of this tour, and a picture counts once. So the admin lets that finding only warn.
reuse() {
    call "$admin" PUT /v1/admin/photo-precheck-settings/PHOTO_REUSED "{\"mode\": \"$1\"}" >/dev/null
}
reuse warn

say "A better one goes to review (picture 17), and the reviewer refuses it"
photo "$files/photo.jpg" first
expect photo_review
claim photo_review
reject '{"items": [{"target_kind": "photo", "code": "PHOTO_CLOTHES_SEASON", "reason": "当前为冬季，照片中穿着短袖"}]}'
expect photo_rejected
jq -r '.rejection.items[] | "   \(.label): \(.title) - \(.reason)"' "$work/filing"

say "The retake passes; to the bureau within one working day (pictures 11, 18)"
photo "$files/photo-retake.jpg" second
expect photo_review
reuse block
claim photo_review
approve
show

say "At the bureau (picture 19), which refuses (picture 20)"
expect bureau_rejected
jq -r '"   bureau: \(.bureau.result_code) \(.bureau.result_text)", (.rejection.items[] | "   \(.label): \(.title) - \(.reason)")' "$work/filing"

say "Edit and resubmit; the photo is still valid, so the approved data go straight to the bureau"
patch '{"website": {"name": "李娜的书房"}}'
submit
claim initial_review
approve
say "The bureau approves (picture 21)"
expect approved
call "$applicant" GET "/v1/websites/$website" | jq -r '"   filed version \(.filed_version): \(.content.name)"'
call "$bureau" GET "/v1/bureau-submissions?q=$(jq -r .order_no "$work/filing")" | jq -r '.items[] | "   submission \(.state) no. \(.sequence_no)"'

say "What happened, and what the applicant was told"
call "$applicant" GET "/v1/filings/$filing/events?limit=100" | jq -r '.items[] | "   \(.at)  \(.type)  \(.label)  by \(.actor_role)"'
call "$applicant" GET "/v1/notifications?limit=5" | jq -r '"   unread: \(.unread_count)", (.items[] | "   \(.title)")'
printf '\nDone: %s is approved.\n' "$(jq -r .order_no "$work/filing")"
