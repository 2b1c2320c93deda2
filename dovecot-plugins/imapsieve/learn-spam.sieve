# imapsieve: what a user moves into Junk is learned as spam (docs/scoring.md).
require ["copy", "environment", "imapsieve", "variables", "vnd.dovecot.pipe"];

if environment :matches "imap.user" "*" {
	set "user" "${1}";
}
pipe :copy "learn" ["spam", "${user}"];
