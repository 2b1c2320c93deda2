/* The few macros every room uses: scoped release, must-check results, lengths, wiping. */
#pragma once

#include <stddef.h>

/* Release at the end of the scope; fn takes the variable's address. */
#define PW_AUTO(fn) __attribute__((cleanup(fn)))
/* Hand ownership on: yields the pointer and clears the variable. */
#define PW_TAKE(p)                                                                        \
	__extension__({                                                                   \
		__typeof__(p) pw_taken_ = (p);                                            \
		(p) = NULL;                                                               \
		pw_taken_;                                                                \
	})
#define PW_MUST_CHECK __attribute__((warn_unused_result))
#define PW_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define PW_EXPORT __attribute__((visibility("default")))
#define PW_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* Overwrite a secret so that the compiler cannot leave it out. p may be NULL if len is 0. */
void pw_wipe(void *p, size_t len);
