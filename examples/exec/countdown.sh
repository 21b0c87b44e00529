#!/bin/sh
# A shell script that speaks the protocol of docs/exec.md: it streams a countdown, or asks from
# which number when the message has none. One process per task.
#
#   echo '{"type":"message","run":1,"text":"from 3"}' | examples/exec/countdown.sh
#
# As an agent: command ["sh", "examples/exec/countdown.sh"]
echo '{"type":"ready"}'
read -r line || exit 0

# Only the text of the message, up to its first quote; a program in a real language parses JSON.
text=${line#*\"text\":\"}
text=${text%%\"*}
number=$(printf '%s' "$text" | tr -cd '0-9' | cut -c1-3)

if [ -z "$number" ]; then
    echo '{"type":"question","text":"From which number?"}'
    exit 0
fi
while [ "$number" -gt 0 ]; do
    echo '{"type":"chunk","text":"'"$number"'… "}'
    number=$((number - 1))
done
echo '{"type":"chunk","text":"done"}'
echo '{"type":"complete"}'
