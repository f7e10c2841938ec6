#!/bin/sh
# The service's routes, one curl line each. Usage: sh examples/curl.sh [http://127.0.0.1:8000]
# The API key is read from GRADEWATCH_API_KEY, where the service asks for one; a file keeps it off the command line.
set -e
api=${1:-http://127.0.0.1:8000}
row='{"student_id": "s-1", "assignment": "a1", "comprehension": 75.5, "attention": 82, "focus": 78.3, "retention": 80.1, "engagement_time": 120}'
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
umask 077
: > "$folder/key"
[ -z "$GRADEWATCH_API_KEY" ] || echo "authorization: Bearer $GRADEWATCH_API_KEY" > "$folder/key"
call() { curl --header "@$folder/key" --silent --show-error --fail-with-body --max-time 60 "$@"; echo; }
json='content-type: application/json'

call "$api/health"
call "$api/ready"
call "$api/api/v1/domains"

# one row; many rows; many rows from a file
call -H "$json" -d "$row" "$api/api/v1/engagement/predict"
call -H "$json" -d "[$row, $row]" "$api/api/v1/engagement/predict/batch"
call -o "$folder/template.csv" "$api/api/v1/domains/engagement/template?format=csv"
call -F "file=@$folder/template.csv" "$api/api/v1/engagement/predict/batch"

# what was logged, by the student's key: in the body, for an address is kept in logs
call -H "$json" -d '{"student": "s-1", "limit": 5}' "$api/api/v1/engagement/predictions/find"

# what really happened, and how good the answers were
call -H "$json" -d '[{"student_id": "s-1", "assignment": "a1", "assignment_score": 71}]' "$api/api/v1/engagement/outcomes"
call "$api/api/v1/engagement/performance"

# a labelled file to learn from, drift of a file, a retraining run, the registry
call -F "file=@$folder/template.csv" "$api/api/v1/engagement/batches?kind=labeled"
call -F "file=@$folder/template.csv" "$api/api/v1/engagement/drift"
call -H "$json" -d '{"dry_run": true}' "$api/api/v1/engagement/retrain"
call "$api/api/v1/models?domain=engagement"
