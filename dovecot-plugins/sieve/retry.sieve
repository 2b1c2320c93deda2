# A message whose first try was left in doubt by an edge host (docs/edge-fallback.md) comes again with the
# same Postward-Transaction and with Postward-Retry: it is dropped if this mailbox has it already. Every
# message with an id is noted for a day. Use it before junk.sieve, which may end the scripts.
require ["duplicate", "variables"];

if header :matches "Postward-Transaction" "*" {
	set "id" "${1}";
	if duplicate :handle "postward" :uniqueid "${id}" :seconds 86400 {
		if exists "Postward-Retry" {
			discard;
			stop;
		}
	}
}
