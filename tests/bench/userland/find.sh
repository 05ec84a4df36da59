# A tree walked: names, sizes and kinds of every file below /usr.
# unit: walks 2
for ((i = 0; i < COUNT; i++)); do
    find /usr -printf '%p %s %m %l\n' | LC_ALL=C sort | md5sum
    find /usr -type f -name '*.h' -size +20k | LC_ALL=C sort
done
