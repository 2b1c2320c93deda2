# A room is a folder and a target. It sees the headers of the rooms it names and of no other:
# each room's folder is linked into a directory of its own, and only those directories
# are on the include path. `#include "core/str.h"` works where core is allowed.

set(PW_WARNINGS -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wvla -Wundef -Wcast-qual
    -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes -Wswitch-enum)

function(pw_common_flags target)
  target_compile_options(${target} PRIVATE ${PW_WARNINGS})
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE PW_VERSION="${PROJECT_VERSION}")
  if(PW_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(PW_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${PW_SANITIZE} -fno-omit-frame-pointer
                           -fno-sanitize-recover=undefined)
    target_link_options(${target} PUBLIC -fsanitize=${PW_SANITIZE})
  endif()
  if(PW_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# pw_sees(<target> <room>...): put the rooms' headers on the include path of a target.
function(pw_sees target)
  foreach(room IN LISTS ARGN)
    target_include_directories(${target} PRIVATE ${CMAKE_BINARY_DIR}/rooms/${room})
  endforeach()
endfunction()

# pw_room(<name> [FOLDERS folder...] [SEES room...] [LIBS target...]): the static library pw_<name>
# from the *.c of the current folder and of FOLDERS in it, main.c left out. LIBS are foreign libraries.
function(pw_room name)
  cmake_parse_arguments(ARG "" "" "FOLDERS;SEES;LIBS" ${ARGN})
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/rooms/${name})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_BINARY_DIR}/rooms/${name}/${name} SYMBOLIC)
  list(TRANSFORM ARG_FOLDERS PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  list(TRANSFORM ARG_FOLDERS APPEND /*.c)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c ${ARG_FOLDERS})
  list(FILTER sources EXCLUDE REGEX "/main\\.c$")
  if(NOT sources)
    return()
  endif()
  add_library(pw_${name} STATIC ${sources})
  pw_common_flags(pw_${name})
  pw_sees(pw_${name} ${name} ${ARG_SEES})
  foreach(room IN LISTS ARG_SEES)
    if(TARGET pw_${room})
      target_link_libraries(pw_${name} PUBLIC pw_${room})
    endif()
  endforeach()
  target_link_libraries(pw_${name} PUBLIC ${ARG_LIBS})
endfunction()

# pw_program(<program> <room> [SEES room...]): build/bin/<program> from main.c and the room's
# library.
function(pw_program program room)
  cmake_parse_arguments(ARG "" "" "SEES" ${ARGN})
  if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/main.c)
    return()
  endif()
  add_executable(${program} main.c)
  pw_common_flags(${program})
  pw_sees(${program} ${room} ${ARG_SEES})
  target_link_libraries(${program} PRIVATE pw_${room})
endfunction()
