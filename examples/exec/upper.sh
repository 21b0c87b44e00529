#!/bin/sh
# The smallest agent: reads text, prints text. Nothing of it knows of a protocol.
#
#   echo hello | examples/exec/upper.sh
#
# As an agent: command ["sh", "examples/exec/upper.sh"]
tr '[:lower:]' '[:upper:]'
