# Lines sorted as text and as numbers, and counted.
# unit: lines 300000
seq "$COUNT" | gawk '{ printf "%d item %d of the list\n", ($1 * 7919 + 12345) % 1000003, $1 % 1000 }' > lines
sort lines | md5sum
sort --numeric-sort --reverse --key=3 lines | md5sum
cut -d ' ' -f 3 lines | LC_ALL=C sort | uniq --count | sed -n 1,20p
