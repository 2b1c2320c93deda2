#!/bin/sh
# man/usage.sh POSTWARDCTL: what all its commands say to --help, as man/usage.h wants it.
set -eu

"$1" --help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p' | while read -r command; do
	printf '\f%s\n' "$command"
	"$1" "$command" --help
done
