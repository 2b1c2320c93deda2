# Mail that postward-score marked goes to Junk. Use it as sieve_before.
require ["fileinto", "mailbox"];

if header :is "X-Spam" "Yes" {
	fileinto :create "Junk";
	stop;
}
