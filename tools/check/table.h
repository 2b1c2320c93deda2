/* A command that runs a table of checks and prints what they found. */
#pragma once

#include "tools/check/check.h"

struct check_table {
	const char *command; /* "postwardctl check", for complaints */
	const struct check *at;
	size_t count;
	unsigned int roles; /* hosts it is for */
};

struct check_choice {
	struct check_options check;
	const char *only; /* groups, parted by commas; NULL = all */
	bool is_json;
};

/* Are they all groups of the table? If not, it has been said on standard error. */
bool check_table_has(const struct check_table *table, const char *list);
/* Returns an exit code */
int check_table_run(const struct check_table *table, const struct check_choice *choice);
/* Print groups and names; returns an exit code. */
int check_table_list(const struct check_table *table);
