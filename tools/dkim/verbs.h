/* The verbs of postwardctl dkim, one file each; argv[0] is the verb. And what they share:
 * DNS records as they show them. */
#pragma once

#include "core/buf.h"

int dkim_new(int argc, char **argv);
int dkim_import(int argc, char **argv);
int dkim_export(int argc, char **argv);
int dkim_host_key(int argc, char **argv);
extern const char dkim_new_usage[], dkim_import_usage[], dkim_export_usage[],
	dkim_host_key_usage[];

/* A TXT record as zone files have it: strings of at most 255 bytes. */
void dkim_print_record(struct pw_str name, struct pw_str value);
/* selector._domainkey.domain */
void dkim_put_name(struct pw_buf *out, struct pw_str selector, struct pw_str domain);
