#include "tools/check/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "tools/command.h"
#include "tools/json.h"
#include "tools/plain.h"

/* ---- choosing ---- */

static bool is_among(const char *list, const char *group)
{
	struct pw_str rest = pw_str_from(list);

	while (rest.len > 0)
		if (pw_str_eq(pw_str_trim(pw_str_cut(&rest, ',')), pw_str_from(group)))
			return true;
	return false;
}

static bool is_group(const struct check_table *table, struct pw_str name)
{
	for (size_t i = 0; i < table->count; i++)
		if (pw_str_eq(name, pw_str_from(table->at[i].group)))
			return true;
	return false;
}

bool check_table_has(const struct check_table *table, const char *list)
{
	struct pw_str rest = pw_str_from(list);

	do {
		struct pw_str name = pw_str_trim(pw_str_cut(&rest, ','));

		if (is_group(table, name))
			continue;
		(void)fprintf(stderr, "%s: no such group: %.*s\n", table->command,
		              PW_FMT(name));
		return false;
	} while (rest.len > 0);
	return true;
}

static size_t choose(struct check *out, const struct check_table *table,
                     const struct check_choice *choice, enum check_role role)
{
	size_t count = 0;

	for (size_t i = 0; i < table->count; i++) {
		const struct check *one = &table->at[i];

		if ((one->roles & role) == 0 ||
		    (choice->only != NULL && !is_among(choice->only, one->group)))
			continue;
		out[count] = *one;
		if (one->needs_network && !choice->check.has_network)
			out[count].look = check_offline;
		count++;
	}
	return count;
}

/* ---- printing ---- */

struct sum {
	size_t errors, warnings;
};

static void print_problem(const struct check_problem *p)
{
	(void)fputs(p->severity == CHECK_ERROR ? "    error: " : "    warning: ", stdout);
	tool_print_plain(p->text);
	(void)putchar('\n');
	if (p->cure.len == 0)
		return;
	(void)fputs("      cure: ", stdout);
	tool_print_plain(p->cure);
	(void)putchar('\n');
}

static void print_text(const struct check *check, const struct check_report *report)
{
	struct pw_str rest = pw_buf_str(&report->bytes);
	struct check_problem p;
	bool is_skipped = check_next(&rest, &p) && p.severity == CHECK_SKIPPED;

	(void)printf("%-12s %-12s ", check->group, check->name);
	if (is_skipped) {
		tool_print_plain(p.text);
		(void)putchar('\n');
		return;
	}
	(void)puts(report->bytes.len == 0 ? "ok" : "");
	rest = pw_buf_str(&report->bytes);
	while (check_next(&rest, &p))
		print_problem(&p);
}

static struct json_object *as_json(const struct check *check,
                                   const struct check_report *report)
{
	struct json_object *json = json_object_new_object();
	struct json_object *problems = json_object_new_array();
	struct pw_str rest = pw_buf_str(&report->bytes);
	struct check_problem p;

	tool_json_add(json, "group", pw_str_from(check->group));
	tool_json_add(json, "name", pw_str_from(check->name));
	while (check_next(&rest, &p)) {
		struct json_object *one;

		if (p.severity == CHECK_SKIPPED) {
			tool_json_add(json, "skipped", p.text);
			continue;
		}
		one = json_object_new_object();
		tool_json_add(
			one, "severity",
			pw_str_from(p.severity == CHECK_ERROR ? "error" : "warning"));
		tool_json_add(one, "text", p.text);
		tool_json_add(one, "cure", p.cure);
		json_object_array_add(problems, one);
	}
	json_object_object_add(
		json, "ok",
		json_object_new_boolean(json_object_array_length(problems) == 0));
	json_object_object_add(json, "problems", problems);
	return json;
}

static struct sum count(const struct check_report *reports, size_t n)
{
	struct sum sum = { 0 };
	struct check_problem p;

	for (size_t i = 0; i < n; i++) {
		struct pw_str rest = pw_buf_str(&reports[i].bytes);

		while (check_next(&rest, &p)) {
			sum.errors += p.severity == CHECK_ERROR;
			sum.warnings += p.severity == CHECK_WARNING;
		}
	}
	return sum;
}

static const char *role_text(enum check_role role)
{
	return role == CHECK_EDGE ? "edge" : role == CHECK_INNER ? "inner" : "single";
}

static void print_json(const struct check *chosen, const struct check_report *reports,
                       size_t n, struct sum sum, enum check_role role)
{
	PW_AUTO(tool_json_put) struct json_object *json = json_object_new_object();
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		json_object_array_add(list, as_json(&chosen[i], &reports[i]));
	json_object_object_add(json, "ok",
	                       json_object_new_boolean(sum.errors + sum.warnings == 0));
	tool_json_add(json, "role", pw_str_from(role_text(role)));
	json_object_object_add(json, "errors",
	                       json_object_new_int64((int64_t)sum.errors));
	json_object_object_add(json, "warnings",
	                       json_object_new_int64((int64_t)sum.warnings));
	json_object_object_add(json, "checks", list);
	tool_json_print(json);
}

static int print(const struct check_choice *choice, const struct check *chosen,
                 const struct check_report *reports, size_t n, enum check_role role)
{
	struct sum sum = count(reports, n);

	if (choice->is_json) {
		print_json(chosen, reports, n, sum, role);
	} else {
		for (size_t i = 0; i < n; i++)
			print_text(&chosen[i], &reports[i]);
		(void)printf("%s host: %zu errors, %zu warnings\n", role_text(role),
		             sum.errors, sum.warnings);
	}
	return sum.errors + sum.warnings == 0 ? EXIT_FINE : EXIT_PROBLEMS;
}

/* ---- all together ---- */

int check_table_run(const struct check_table *table, const struct check_choice *choice)
{
	struct check_report *reports = calloc(table->count, sizeof(*reports));
	struct check *chosen = calloc(table->count, sizeof(*chosen));
	PW_AUTO(check_context_done) struct check_context context = { 0 };
	size_t n = 0;
	int code = EX_OSERR;

	if (reports == NULL || chosen == NULL ||
	    check_context_init(&context, &choice->check) != PW_OK)
		(void)fprintf(stderr, "%s: out of memory\n", table->command);
	else if ((table->roles & context.role) == 0) {
		(void)fprintf(stderr, "%s: this host is no edge: %s\n", table->command,
		              role_text(context.role));
		code = EX_CONFIG;
	} else {
		n = choose(chosen, table, choice, context.role);
		if (check_run(chosen, n, &context, reports) == PW_OK)
			code = print(choice, chosen, reports, n, context.role);
		else
			(void)fprintf(stderr, "%s: no process could be made\n",
			              table->command);
	}
	for (size_t i = 0; i < n; i++)
		check_report_done(&reports[i]);
	free(reports);
	free(chosen);
	return code;
}

int check_table_list(const struct check_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		(void)printf("%-12s %s\n", table->at[i].group, table->at[i].name);
	return EXIT_FINE;
}
