#include "../table.h"

#include "io/counters.h"
#include "io/settings.h"
#include "man/sections.h"
#include "man/tables.h"

#define LIST ".Bl -tag -width Ds\n"

static const struct pw_setting samples[] = {
#define PW(type, name, fallback, min, max, change, help)                                 \
	{ #name, PW_SETTING_##type, fallback, min, max, PW_SETTING_##change, help, 0 },
#include "../io/sample.def"
#undef PW
};

static void one_of_each_type(void **state)
{
	static const struct man_settings all = { samples, PW_LEN(samples) };
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	(void)state;
	sections_put_settings(&out, &all);
	assert_string_equal(
		pw_buf_text(&out),
		LIST ".It Ic \"\\&wait\"\nHow long.\nA duration from\n.Ql \"\\&1s\"\nto\n"
		     ".Ql \"\\&60s\" ;\ndefault\n.Ql \"\\&5s\" .\n"
		     ".It Ic \"\\&most\"\nHow many.\nA number from\n.Ql \"\\&1\"\nto\n"
		     ".Ql \"\\&10000\" ;\ndefault\n.Ql \"\\&500\" .\n"
		     "A change counts after a restart.\n"
		     ".It Ic \"\\&room\"\nHow large.\nA size from\n.Ql \"\\&1\"\nto\n"
		     ".Ql \"\\&2G\" ;\ndefault\n.Ql \"\\&64k\" .\n"
		     ".It Ic \"\\&dry_run\"\nOnly pretend.\nOne of\n.Ql \"\\&yes\" ,\n"
		     ".Ql \"\\&no\" ;\ndefault\n.Ql \"\\&no\" .\n"
		     ".It Ic \"\\&on_error\"\nWhat then.\nOne of\n.Ql \"\\&defer\" ,\n"
		     ".Ql \"\\&dunno\" ;\ndefault\n.Ql \"\\&defer\" .\n"
		     ".It Ic \"\\&title\"\nCalled what.\nText of at most 20 bytes;\n"
		     "empty by default.\nA change counts after a restart.\n"
		     ".It Ic \"\\&place\"\nWhere.\nAn absolute path;\ndefault\n"
		     ".Ql \"\\&/run/$program\" .\n.El\n");
}

static void counters_of_one_name_are_one_item(void **state)
{
	static const struct pw_counter_row rows[] = {
		{ PW_COUNTER_COUNT, "a_total", "x=\"1\"", "Some." },
		{ PW_COUNTER_COUNT, "a_total", "x=\"2\"", "Some." },
		{ PW_COUNTER_COUNT, "b_total", NULL, "Others." },
		{ PW_COUNTER_LEVEL, "c", NULL, "Now." },
	};
	static const struct man_counters all = { "postward-x", rows, PW_LEN(rows) };
	PW_AUTO(pw_buf_done) struct pw_buf out = { 0 };

	(void)state;
	sections_put_counters(&out, &all);
	assert_string_equal(
		pw_buf_text(&out),
		LIST ".It Va \"\\&postward_x_a_total\"\nSome.\nA counter.\nLabels:\n"
		     ".Ql \"\\&x=\\(dq1\\(dq\" ,\n.Ql \"\\&x=\\(dq2\\(dq\" .\n"
		     ".It Va \"\\&postward_x_b_total\"\nOthers.\nA counter.\n"
		     ".It Va \"\\&postward_x_c\"\nNow.\nA gauge.\n.El\n");
}

static void every_program_has_its_tables(void **state)
{
	static const char *const names[] = { "postward-origin", "postward-score",
		                             "postward-dkim", "postward-policyd" };

	(void)state;
	for (size_t i = 0; i < PW_LEN(names); i++) {
		const struct man_program *p = man_program_find(pw_str_from(names[i]));

		assert_non_null(p);
		assert_true(p->settings.count > 0 && p->counters.count > 0);
		assert_string_equal(p->counters.program, names[i]);
	}
	assert_non_null(man_program_find(PW_STR("common")));
	assert_null(man_program_find(PW_STR("postward")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_of_each_type),
		cmocka_unit_test(counters_of_one_name_are_one_item),
		cmocka_unit_test(every_program_has_its_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
