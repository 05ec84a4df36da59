# Python at work: strings, dictionaries, sorting, regular expressions, integers of many digits.
# unit: words 150000
python3 - "$COUNT" <<'P'
import hashlib, re, sys
count = int(sys.argv[1])
words, seen, state = [], {}, 1
for i in range(count):
    state = (state * 1103515245 + 12345) & 0x7FFFFFFF
    word = f"w{state % 9973:05d}-{i % 97}"
    words.append(word)
    seen[word] = seen.get(word, 0) + len(word)
text = " ".join(words)
found = re.findall(r"w0(\d+)-(\d)\b", text)
order = sorted(seen.items(), key=lambda item: (item[1], item[0][::-1]))
product = 1
for i in range(1, 1200):
    product *= i * i + 1
print(len(seen), len(found), order[:3], order[-3:], hashlib.sha1(text.upper().encode()).hexdigest(), product % 10**20)
P
