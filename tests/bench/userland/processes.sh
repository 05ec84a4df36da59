# A shell that starts short-lived programs.
# unit: rounds 60
sum=0
for ((i = 0; i < COUNT; i++)); do
    /bin/true
    sum=$(expr "$sum" + "$i" + 1)
    text=$(echo "step $i of many" | sed 's/of many/is done/')
    [ -n "$text" ] && basename "/some/where/$i.txt" .txt > /dev/null
done
echo "$sum $text"
