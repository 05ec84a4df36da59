// hartline image: making, looking at, checking and changing disk images.
#include <boost/program_options.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <span>
#include <sstream>

#include "frontend/cli/image_text.hpp"
#include "frontend/cli/nearest.hpp"
#include "frontend/cli/verbs.hpp"
#include "frontend/image/operations.hpp"
#include "frontend/image/progress.hpp"
#include "frontend/session/errors.hpp"
#include "frontend/session/size.hpp"

namespace hartline {
namespace {
namespace po = boost::program_options;
constexpr int kExitCorrupt = 2, kExitLeaks = 3;  // of check, as qemu-img's

// What may be given to a sub-verb, and how its help begins.
struct SubVerb {
    const char* name;
    const char* arguments;
    const char* about;
    std::size_t least, most;  // words
    const char* options;      // names, each with a blank behind it
};
constexpr SubVerb kSubVerbs[] = {
    {"create", "FILE [SIZE]", "make an empty image (of its backing file's size if none is given)", 1, 2,
     "format backing backing-format cluster-size version refcount-bits compression extended-l2 "
     "lazy-refcounts force "},
    {"info", "FILE", "what an image is: format, sizes, backing file, snapshots", 1, 1, "format json "},
    {"check", "FILE", "does a qcow2 image agree with itself? exit code 0: yes, 3: leaked space only, 2: no",
     1, 1, "format repair json "},
    {"convert", "FROM TO", "copy a disk into another image, sparsely", 2, 2,
     "format from-format from-backing compress cluster-size version refcount-bits compression extended-l2 "
     "lazy-refcounts force quiet "},
    {"commit", "FILE", "move what an overlay holds into its backing file", 1, 1,
     "format from-backing keep quiet "},
    {"resize", "FILE [+|-]SIZE", "make the disk larger or smaller", 2, 2, "format from-backing shrink "},
    {"map", "FILE", "which parts of the disk are stored where", 1, 1, "format from-backing json "}};

po::options_description all_options() {
    po::options_description options("Options");
    auto add = options.add_options();
    const auto text = [](const char* called) { return po::value<std::string>()->value_name(called); };
    add("format", text("raw|qcow2"),
        "of FILE, or of the new image (by its name: .qcow2 is qcow2, others are raw)");
    add("from-format", text("raw|qcow2"), "of FROM");
    add("from-backing", text("WHERE"),
        "which backing files may be read: 'beneath' the image's folder, 'any' or 'none' (beneath)");
    add("backing", text("FILE"),
        "what shows where the new image holds nothing; relative to the new image's folder");
    add("backing-format", text("raw|qcow2"), "of the backing file (by its name)");
    add("cluster-size", text("SIZE"), "512 to 2M (64K)");
    add("version", text("N"), "of qcow2: 2 or 3 (3)");
    add("refcount-bits", text("N"), "1, 2, 4, 8, 16, 32 or 64 (16)");
    add("compression", text("HOW"), "of compressed clusters: zlib or zstd (zlib)");
    add("extended-l2", po::bool_switch(), "32 subclusters a cluster: less copying in overlays");
    add("lazy-refcounts", po::bool_switch(), "mark the image so; QEMU then writes refcounts late");
    add("compress", po::bool_switch(), "compress what is written");
    add("repair", text("WHAT"), "'leaks', or 'all' that can be set right");
    add("keep", po::bool_switch(), "leave the overlay as it is");
    add("shrink", po::bool_switch(), "yes, cut off the end of the disk");
    add("force", po::bool_switch(), "replace a file that is there");
    add("json", po::bool_switch(), "print JSON, with qemu-img's keys");
    add("quiet", po::bool_switch(), "no progress");
    add("help,h", po::bool_switch(), "this help");
    return options;
}

po::options_description options_of(const SubVerb& verb) {
    po::options_description options("Options of hartline image " + std::string(verb.name));
    const std::string names = std::string(" ") + verb.options + "help ";
    const po::options_description all = all_options();
    for (const auto& option : all.options())
        if (names.find(" " + option->long_name() + " ") != std::string::npos) options.add(option);
    return options;
}

std::string help_of(const SubVerb& verb) {
    std::ostringstream out;
    out << "hartline image " << verb.name << " " << verb.arguments << " [options]: " << verb.about << "\n\n"
        << options_of(verb);
    return out.str();
}

struct Given {
    std::vector<std::string> words;
    po::variables_map values;

    bool on(const char* key) const { return values.count(key) != 0 && values[key].as<bool>(); }
    const std::string* text(const char* key) const {
        return values.count(key) == 0 ? nullptr : &values[key].as<std::string>();
    }
};

// What qemu-img calls otherwise; of two for a letter, the first that the sub-verb has.
constexpr std::pair<std::string_view, const char*> kOfQemuImg[] = {
    {"-O", "format"},   {"-f", "from-format"}, {"-f", "format"}, {"-b", "backing"}, {"-F", "backing-format"},
    {"-c", "compress"}, {"-q", "quiet"},       {"-d", "keep"},   {"-r", "repair"},  {"--output", "json"}};

[[noreturn]] void unknown(const std::string& where, const std::string& name,
                          const po::options_description& known) {
    std::vector<std::string> names;
    for (const auto& option : known.options()) names.push_back(option->long_name());
    std::string close = nearest(name.substr(std::min(name.find_first_not_of('-'), name.size())), names);
    for (const auto& [theirs, ours] : kOfQemuImg) {
        if (name != theirs || std::ranges::find(names, ours) == names.end()) continue;
        close = ours;
        break;
    }
    throw InputError(where, "unknown option '" + name + "'",
                     close.empty() ? "hartline help image shows all" : "did you mean --" + close + "?");
}

Given parse(const SubVerb& verb, std::span<const std::string> arguments) {
    const std::string where = std::string("image ") + verb.name;
    const po::options_description visible = options_of(verb);
    po::options_description known;
    known.add(visible).add_options()("word", po::value<std::vector<std::string>>());
    po::positional_options_description positional;
    positional.add("word", -1);
    std::vector<std::string> all(arguments.begin(), arguments.end());
    // A size to take off is no option.
    for (std::string& one : all)
        if (one.size() > 1 && one[0] == '-' && one[1] >= '0' && one[1] <= '9') one.insert(0, "\x01");
    Given given;
    try {
        namespace style = po::command_line_style;
        po::store(po::command_line_parser(all)
                      .options(known)
                      .positional(positional)
                      .style(style::unix_style & ~style::allow_guessing)
                      .run(),
                  given.values);
    } catch (const po::unknown_option& error) {
        const std::string name = error.get_option_name();
        unknown(where, name.substr(0, name.find('=')), visible);
    } catch (const po::error& error) {
        throw InputError(where, error.what(), where + " --help shows how");
    }
    if (given.values.count("word") != 0) given.words = given.values["word"].as<std::vector<std::string>>();
    for (std::string& word : given.words)
        if (word[0] == '\x01') word.erase(0, 1);
    if (given.on("help")) return given;
    if (given.words.size() < verb.least || given.words.size() > verb.most)
        throw InputError(where, "expects " + std::string(verb.arguments), "hartline " + where + " --help");
    return given;
}

std::optional<ImageFormat> format_given(const Given& given, const char* key) {
    const std::string* text = given.text(key);
    if (text == nullptr) return std::nullopt;
    if (const auto format = image_format(*text)) return format;
    throw InputError(std::string("--") + key, "'" + *text + "' is no format", "choose raw or qcow2");
}

ImageFormat format_by_name(const std::optional<ImageFormat>& given, const std::string& path) {
    return given.value_or(qcow2::named_qcow2(path) ? ImageFormat::Qcow2 : ImageFormat::Raw);
}

ImageOptions open_options(const Given& given, const char* format_key, bool read_only) {
    ImageOptions options;
    options.read_only = read_only;
    options.format = format_given(given, format_key);
    const std::string* where = given.text("from-backing");
    if (where == nullptr || *where == "beneath") return options;
    if (*where != "any" && *where != "none")
        throw InputError("--from-backing", "'" + *where + "' is unknown", "choose beneath, any or none");
    options.backing_names = *where == "any" ? BackingNames::Anywhere : BackingNames::None;
    return options;
}

// Those options of a new image that create and convert share.
NewImage new_image(const Given& given, const std::string& path) {
    NewImage image;
    image.format = format_by_name(format_given(given, "format"), path);
    image.replace = given.on("force");
    qcow2::CreateOptions& options = image.qcow2;
    if (const auto* text = given.text("cluster-size")) options.cluster = parse_size("--cluster-size", *text);
    const auto number = [&](const char* key, u64 otherwise) {
        const auto* text = given.text(key);
        return text == nullptr ? otherwise : parse_count(std::string("--") + key, *text);
    };
    options.version = static_cast<u32>(std::min<u64>(number("version", 3), 99));
    options.refcount_bits = static_cast<unsigned>(std::min<u64>(number("refcount-bits", 16), 99));
    options.extended_l2 = given.on("extended-l2");
    options.lazy_refcounts = given.on("lazy-refcounts");
    if (const auto* text = given.text("compression")) {
        if (*text != "zlib" && *text != "zstd")
            throw InputError("--compression", "'" + *text + "' is unknown", "choose zlib or zstd");
        if (*text == "zstd") options.compression = qcow2::Compression::Zstd;
    }
    if (image.format == ImageFormat::Qcow2) return image;
    for (const char* key : {"cluster-size", "version", "refcount-bits", "compression", "extended-l2",
                            "lazy-refcounts", "backing", "compress"})
        if (given.values.count(key) != 0 && !given.values[key].defaulted())
            throw InputError(path, std::string("would be raw, which --") + key + " cannot change",
                             "name it .qcow2, or give --format qcow2");
    return image;
}

u64 disk_size(const std::string& text) {
    const u64 bytes = parse_size("size", text);
    if (bytes == 0 || bytes > ~u64{0} >> 1) throw InputError("size", "'" + text + "' cannot be a disk's");
    return (bytes + 511) / 512 * 512;
}

int create(const Given& given) {
    const std::string& path = given.words[0];
    NewImage image = new_image(given, path);
    if (given.words.size() > 1) image.qcow2.bytes = disk_size(given.words[1]);
    if (const std::string* backing = given.text("backing")) {
        const std::string resolved = resolve_backing(path, *backing);
        image.qcow2.backing = *backing;
        image.qcow2.backing_format = format_by_name(format_given(given, "backing-format"), resolved);
        const ImageInfo info = image_info(resolved, image.qcow2.backing_format);
        if (given.words.size() < 2) image.qcow2.bytes = (info.bytes + 511) / 512 * 512;
    } else if (given.words.size() < 2) {
        throw InputError(path, "needs a size", "write for example hartline image create " + path + " 8G");
    }
    create_image(path, image);
    return 0;
}

int info(const Given& given) {
    const ImageInfo found = image_info(given.words[0], format_given(given, "format"));
    std::cout << (given.on("json") ? info_json(found) : info_text(found));
    return 0;
}

int check(const Given& given) {
    RepairKind repair = RepairKind::None;
    if (const auto* what = given.text("repair")) {
        if (*what != "leaks" && *what != "all")
            throw InputError("--repair", "'" + *what + "' is unknown", "choose leaks or all");
        repair = *what == "all" ? RepairKind::All : RepairKind::Leaks;
    }
    const Checked checked = check_image(given.words[0], format_given(given, "format"), repair);
    std::cout << (given.on("json") ? check_json(checked, given.words[0]) : check_text(checked));
    const qcow2::CheckResult& now = checked.after.value_or(checked.before);
    if (now.clean()) return 0;
    return now.corruptions == 0 && now.errors == 0 ? kExitLeaks : kExitCorrupt;
}

int convert(const Given& given) {
    const auto from = open_or_complain(given.words[0], open_options(given, "from-format", true));
    const std::string& path = given.words[1];
    NewImage image = new_image(given, path);
    image.qcow2.bytes = from->bytes();
    const bool there = std::filesystem::exists(path);
    create_image(path, image);
    try {
        ImageOptions options;
        options.format = image.format;
        const auto to = open_or_complain(path, options);
        Progress progress("convert", from->bytes(), given.on("quiet"));
        copy_image({*from, given.words[0]}, {*to, path}, given.on("compress"),
                   [&](u64 done) { progress.at(done); });
    } catch (...) {
        if (!there) std::filesystem::remove(path);
        throw;
    }
    return 0;
}

int commit(const Given& given) {
    ImageOptions options = open_options(given, "format", false);
    options.writable_backing = true;
    const auto image = open_or_complain(given.words[0], options);
    Progress progress("commit", image->bytes(), given.on("quiet"));
    commit_image(*image, given.words[0], given.on("keep"), [&](u64 done) { progress.at(done); });
    return 0;
}

int resize(const Given& given) {
    const std::string &path = given.words[0], &text = given.words[1];
    const auto image = open_or_complain(path, open_options(given, "format", false));
    const bool relative = text[0] == '+' || text[0] == '-';
    u64 bytes = disk_size(relative ? text.substr(1) : text);
    const u64 old = image->bytes();
    if (text[0] == '-' && bytes >= old)
        throw InputError(path,
                         "has " + size_text(old) + ", from which " + size_text(bytes) + " cannot be taken");
    if (text[0] == '-') bytes = old - bytes;
    if (text[0] == '+' && __builtin_add_overflow(old, bytes, &bytes))
        throw InputError("size", "'" + text + "' is too large");
    if (bytes < old && !given.on("shrink"))
        throw InputError(path, "would lose all behind " + size_text(bytes),
                         "shrink file system and partition first, then give --shrink");
    if (!image->resize(bytes))
        throw HostError(path, "cannot get " + size_text(bytes),
                        "is there room, or has it snapshots in version 2, or clusters too small for that?");
    std::cout << path << ": " << size_text(old) << " -> " << size_text(bytes) << '\n';
    return 0;
}

int map(const Given& given) {
    const auto image = open_or_complain(given.words[0], open_options(given, "format", true));
    const auto entries = image_map(*image, given.words[0]);
    std::cout << (given.on("json") ? map_json(entries) : map_text(entries));
    return 0;
}

int act(const SubVerb& verb, const Given& given) {
    const std::string_view name = verb.name;
    if (name == "create") return create(given);
    if (name == "info") return info(given);
    if (name == "check") return check(given);
    if (name == "convert") return convert(given);
    if (name == "commit") return commit(given);
    if (name == "resize") return resize(given);
    return map(given);
}
}  // namespace

std::string image_help() {
    std::ostringstream out;
    out << "hartline image: disk images, raw and qcow2 (versions 2 and 3)\n\n";
    for (const SubVerb& verb : kSubVerbs)
        out << "  hartline image " << verb.name << " " << verb.arguments << "\n      " << verb.about << '\n';
    out << "\nA file named .qcow2 is qcow2, every other is raw, unless an option says so: what a guest\n"
           "wrote into a disk never decides.\n\n"
           "  hartline image create disk.qcow2 8G\n"
           "  hartline image create overlay.qcow2 --backing base.qcow2\n"
           "  hartline image convert disk.img disk.qcow2 --compress\n\n"
        << all_options();
    return out.str();
}

int verb_image(std::span<const std::string> arguments) {
    if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help") {
        std::cout << image_help();
        return 0;
    }
    std::vector<std::string> names;
    for (const SubVerb& verb : kSubVerbs) {
        names.emplace_back(verb.name);
        if (arguments[0] != verb.name) continue;
        const Given given = parse(verb, arguments.subspan(1));
        if (!given.on("help")) return act(verb, given);
        std::cout << help_of(verb);
        return 0;
    }
    const std::string close = nearest(arguments[0], names);
    throw InputError(
        "image " + arguments[0], "is unknown",
        close.empty() ? "hartline help image lists what there is" : "did you mean image " + close + "?");
}
}  // namespace hartline
