/* Inside the wire: what an MTA says about its session and message. */
#pragma once

#include "kit/wire/context.h"

/* name NUL value NUL...: those that come with a command of this stage. */
void kit_macros_take(SMFICTX *ctx, enum wire_stage stage, struct pw_str pairs);
/* A command of this stage begins: later ones' macros are of a message before. */
void kit_macros_forget_after(SMFICTX *ctx, enum wire_stage stage);
