# Text: grep, sed, awk, cut and tr over the headers and programs of the system.
# unit: rounds 1
for ((i = 0; i < COUNT; i++)); do
    grep --recursive --count --include='*.h' 'define' /usr/include | LC_ALL=C sort | md5sum
    find /usr/include/linux -name '*.h' -print0 | LC_ALL=C sort -z | xargs -0 cat |
        sed -E 's/[[:space:]]+/ /g; s@/\*.*\*/@@; /^ ?$/d' | tr '[:lower:]' '[:upper:]' |
        gawk '{ for (k = 1; k <= NF; k++) words[$k]++ } END { for (w in words) if (words[w] > 50) print words[w], w }' |
        LC_ALL=C sort -k1,1nr -k2
done
