# Bash ends a word at a colon, and a reference has one: the words are put together again before forge is asked.
_forge() {
    local IFS=$'\013' words=() word joined=''
    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        if [[ ${#words[@]} -gt 0 && (${word:0:1} == ':' || ${words[${#words[@]} - 1]} == *:) ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
    done
    joined=${words[${#words[@]} - 1]}
    COMPREPLY=($(_FORGE_COMPLETE=bash _CLAP_IFS="$IFS" _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1)) \
        _CLAP_COMPLETE_COMP_TYPE="$COMP_TYPE" _CLAP_COMPLETE_SPACE=true forge -- "${words[@]}" 2>/dev/null))
    # What stands before the last colon is not part of the word that bash replaces.
    if [[ $joined == *:* && $COMP_WORDBREAKS == *:* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${joined%"${joined##*:}"}"}")
    fi
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o bashdefault -o nosort -F _forge forge 2>/dev/null || complete -o bashdefault -F _forge forge
