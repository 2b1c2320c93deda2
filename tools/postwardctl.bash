# bash completion for postwardctl                                          -*- shell-script -*-
# What there is to complete is what the program says to --help: nothing is listed here.

# What may follow COMMAND at once: `postwardctl schema status|migrate` in its usage text.
_postwardctl_words() {
	sed -n "s/^.*postwardctl $1 \([a-z][a-z|-]*\)\( .*\)\{0,1\}$/\1/p" <<<"$2" | tr '|' '\n'
}

# The word behind an option in a usage text: `FILE` of `--zone FILE`; nothing for a switch.
_postwardctl_argument() {
	sed -n "s/^\(.*[[ ]\)\{0,1\}$1 \([A-Z][A-Z]*\|[a-z0-9]*|[a-z0-9|]*\)\([] ].*\)\{0,1\}$/\2/p" \
		<<<"$2" | head -n 1
}

_postwardctl_files() {
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}

_postwardctl_value() {
	case $1 in
	*FILE) _postwardctl_files -f "$2" ;;
	DIR | FOLDER) _postwardctl_files -d "$2" ;;
	*'|'*) mapfile -t COMPREPLY < <(compgen -W "${1//|/ }" -- "$2") ;;
	esac
}

_postwardctl() {
	local program=$1 cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local usage words argument

	COMPREPLY=()
	if [[ $cur == = ]]; then # readline takes --name=value for three words
		cur=
	elif [[ $prev == = ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	if ((COMP_CWORD == 1)); then
		words=$("$program" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p')
		mapfile -t COMPREPLY < <(compgen -W "$words --help --version" -- "$cur")
		return
	fi
	usage=$("$program" "${COMP_WORDS[1]}" --help 2>/dev/null) || return
	if [[ $prev == --* ]]; then
		argument=$(_postwardctl_argument "$prev" "$usage")
		[[ -z $argument ]] || { _postwardctl_value "$argument" "$cur" && return; }
	fi
	if [[ $cur == -* ]]; then
		words=$(grep -o -e '--[a-z][a-z0-9-]*' <<<"$usage" | sort -u)
		mapfile -t COMPREPLY < <(compgen -W "$words --help" -- "$cur")
		return
	fi
	((COMP_CWORD > 2)) || words=$(_postwardctl_words "${COMP_WORDS[1]}" "$usage")
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	if [[ -z $words ]] && grep -q "postwardctl ${COMP_WORDS[1]}.* FILE" <<<"$usage"; then
		_postwardctl_files -f "$cur"
	fi
}

complete -F _postwardctl postwardctl
