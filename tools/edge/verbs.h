/* The verbs of postwardctl edge, one file each; argv[0] is the verb. */
#pragma once

int edge_pass(int argc, char **argv);
extern const char edge_pass_usage[];
