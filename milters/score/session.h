/* The milter side: callbacks of one connection of Postfix. */
#pragma once

#include "kit/kit.h"
#include "score/daemon.h"

void session_describe(struct kit_daemon *kit, struct daemon *shared);
