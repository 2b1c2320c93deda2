/* The verbs of postwardctl edge, one file each; argv[0] is the verb. None of them opens a
 * connection to a database. */
#pragma once

int edge_bans(int argc, char **argv);
int edge_check(int argc, char **argv);
int edge_held(int argc, char **argv);
int edge_init(int argc, char **argv);
int edge_keys(int argc, char **argv);
int edge_pass(int argc, char **argv);
extern const char edge_bans_usage[], edge_check_usage[], edge_held_usage[],
	edge_init_usage[], edge_keys_usage[], edge_pass_usage[];
