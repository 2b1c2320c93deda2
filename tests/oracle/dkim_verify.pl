#!/usr/bin/perl
# Third opinion on DKIM signatures: Mail::DKIM verifies every signature of the messages.
#
# usage: dkim_verify.pl ZONE.json FILE...    one line a signature: FILE INDEX pass|fail|...
use strict;
use warnings;
use JSON::PP;
use Mail::DKIM::PublicKey;
use Mail::DKIM::Verifier;

my $zone = do {
    open my $file, '<', shift @ARGV or die $!;
    local $/;
    decode_json(<$file>);
};

# The keys of the zone instead of DNS.
{
    no warnings 'redefine';
    *Mail::DKIM::PublicKey::fetch_async = sub {
        my ($class, %prms) = @_;
        my $text = $zone->{"$prms{Selector}._domainkey.$prms{Domain}"}{TXT}[0];
        my $key  = defined $text ? $class->parse($text) : undef;
        return sub { $prms{Callbacks}{Success}->(defined $key ? $key : ()) };
    };
}

for my $path (@ARGV) {
    open my $file, '<:raw', $path or die $!;
    local $/;
    my $text     = <$file>;
    my $verifier = Mail::DKIM::Verifier->new;
    $verifier->PRINT($text);
    $verifier->CLOSE;
    my $index = 0;
    for my $signature ($verifier->signatures) {
        print "$path ", $index++, ' ', $signature->result, "\n";
    }
}
