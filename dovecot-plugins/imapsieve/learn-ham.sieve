# imapsieve: what a user moves out of Junk is learned as honest mail, unless it goes to Trash
# (docs/scoring.md).
require ["copy", "environment", "imapsieve", "variables", "vnd.dovecot.pipe"];

if environment :is "imap.mailbox" "Trash" {
	stop;
}
if environment :matches "imap.user" "*" {
	set "user" "${1}";
}
pipe :copy "learn" ["ham", "${user}"];
