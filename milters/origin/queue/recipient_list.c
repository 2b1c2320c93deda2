#include "origin/queue/recipient_list.h"

#include <stdlib.h>
#include <string.h>

#include "origin/queue/answer.h"

#define TEXTS_BYTES ((size_t)32 * 1024)
#define ANSWER_BYTES ((size_t)1024)

enum pw_status recipient_list_new(struct recipient_list **out)
{
	struct recipient_list *made = calloc(1, sizeof(*made));

	if (!made)
		return PW_ERR_NOMEM;
	if (pw_arena_new(&made->arena, TEXTS_BYTES) != PW_OK) {
		free(made);
		return PW_ERR_NOMEM;
	}
	*out = made;
	return PW_OK;
}

void recipient_list_free(struct recipient_list **list)
{
	if (!*list)
		return;
	pw_arena_free(&(*list)->arena);
	free(*list);
	*list = NULL;
}

/* NULL = no room. */
static char **copy_argv(struct pw_arena *arena, char *const *argv)
{
	size_t count = 0;
	char **copy;

	while (argv[count])
		count++;
	copy = pw_arena_array(arena, count + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++) {
		size_t bytes = strlen(argv[i]) + 1;

		if (!(copy[i] = pw_arena_alloc(arena, bytes)))
			return NULL;
		memcpy(copy[i], argv[i], bytes);
	}
	return copy;
}

enum pw_status recipient_list_begin(struct recipient_list *list, char *const *argv)
{
	pw_arena_reset(list->arena);
	list->count = list->accepted = 0;
	list->mail = copy_argv(list->arena, argv);
	return list->mail ? PW_OK : PW_ERR_NOMEM;
}

enum pw_status recipient_list_add(struct recipient_list *list, char *const *argv)
{
	size_t i = list->count;

	if (i == RECIPIENTS_ONCE || !(list->argvs[i] = copy_argv(list->arena, argv)))
		return PW_ERR_LIMIT;
	list->answers[i] = (struct recipient_answer){ 0 };
	list->count++;
	return PW_OK;
}

void recipient_list_refuse(struct recipient_list *list, size_t index,
                           const struct smtp_reply *reply)
{
	struct recipient_answer *answer = &list->answers[index];
	struct pw_str text = pw_str_sub(pw_buf_str(&reply->text), 0, ANSWER_BYTES);

	answer->code = reply->code;
	memcpy(answer->enhanced, reply->enhanced, sizeof(answer->enhanced));
	if (pw_arena_copy(list->arena, text, &answer->text) != PW_OK)
		answer->text = PW_STR("(no room for the words)");
}

void recipient_list_say(struct recipient_list *list, size_t index, int code,
                        const char *enhanced, const char *text)
{
	struct recipient_answer *answer = &list->answers[index];

	*answer = (struct recipient_answer){ .code = code, .text = pw_str_from(text) };
	strncpy(answer->enhanced, enhanced, sizeof(answer->enhanced) - 1);
}

void recipient_list_put(const struct recipient_list *list, struct pw_buf *out,
                        struct pw_str of_message)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct recipient_answer *answer = &list->answers[i];

		if (answer->code)
			answer_put(out, answer->code, answer->enhanced, answer->text);
		else
			pw_buf_puts(out, of_message);
	}
}
