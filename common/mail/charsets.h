/* Charsets that a process which may open no file can still convert from. */
#pragma once

/* Load their converters for good (a process's lifetime). What a library of this machine
 * does not have is left out. iconv_open(3). */
void pw_charsets_keep(void);
