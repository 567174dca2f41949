#!/bin/sh
# The emulator from a shell: start it, send a message, see what the phone received, plan a failure.
# PYTHON names the Python that has meta_emulator installed.
set -eu

ready=$(mktemp)
"${PYTHON:-python3}" -m meta_emulator --port 0 --json > "$ready" &
emulator=$!
trap 'kill "$emulator"; rm -f "$ready"' EXIT
until [ -s "$ready" ]; do sleep 0.1; done

field() { sed -n "s/.*\"$1\": \"\{0,1\}\[\{0,1\}\"\{0,1\}\([^\",]*\).*/\1/p" "$ready"; }
url=$(field url) token=$(field access_token) number=$(field phone_number_ids)
ana=447700900123

send() {
  curl -s "$url/v24.0/$number/messages" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
    -d "{\"messaging_product\":\"whatsapp\",\"to\":\"$ana\",\"type\":\"text\",\"text\":{\"body\":\"$1\"}}"
  echo
}

# Ana writes first, which opens the 24 h service window.
curl -s "$url/_emulator/phones/$ana/messages" -d '{"type":"text","text":{"body":"hi"}}' > /dev/null
send "hello from the shell"
curl -s "$url/_emulator/phones/$ana/messages?after=0&wait=5"
echo
curl -s "$url/_emulator/faults" -d '{"kind":"error","status":503,"code":2}' > /dev/null
send "this one fails"
