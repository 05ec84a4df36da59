// hartline fuzz: random programs, run here and elsewhere, and compared.
#include <algorithm>
#include <boost/program_options.hpp>
#include <cinttypes>
#include <cstdio>
#include <iostream>
#include <sstream>

#include "frontend/cli/verbs.hpp"
#include "frontend/fuzz/campaign.hpp"
#include "frontend/fuzz/generate.hpp"
#include "frontend/host/files.hpp"
#include "frontend/session/config.hpp"
#include "frontend/session/errors.hpp"
#include "frontend/session/size.hpp"

namespace hartline {
namespace {
namespace po = boost::program_options;
constexpr int kExitDifferent = 1;

po::options_description options() {
    po::options_description all("Options");
    auto add = all.add_options();
    const auto text = [](const char* value, const char* otherwise) {
        return po::value<std::string>()->value_name(value)->default_value(otherwise);
    };
    add("category", text("C", "all"),
        "integer, compressed, memory, float, atomic, csr, trap, paging, pmp, selfmod, mixed");
    add("seed", text("S", "1"), "of the first program; the next has S+1");
    add("programs", text("N", "10"), "a category");
    add("length", text("L", "100K"), "random instructions a program runs, about");
    add("against", text("WHO", "qemu"), "jit, ir, qemu, qemu=PATH or spike=PATH");
    add("translate-after", text("N", "1"), "of --against jit: entries of a block until it is translated");
    add("keep", text("DIR", "."), "where failing programs are left, whole and reduced");
    add("jobs", text("N", "1"), "programs at a time");
    add("seconds", text("T", "0"), "end after this time (0: when all have run)");
    add("no-reduce", po::bool_switch(), "keep failing programs as they are");
    add("reduce", po::bool_switch(), "only shrink the one program of --category and --seed");
    add("write", po::value<std::string>()->value_name("FILE"), "only write that program as an ELF file");
    add("exit", po::value<std::string>()->value_name("HOW"),
        "of --write: htif or finisher (as --against wants it)");
    add("list", po::bool_switch(), "only print that program's instructions");
    add("help,h", po::bool_switch(), "this help");
    return all;
}

fuzz::Category category_of(const std::string& text) {
    const auto found = std::find(fuzz::kCategoryNames.begin(), fuzz::kCategoryNames.end(), text);
    if (found == fuzz::kCategoryNames.end())
        throw InputError("--category", "'" + text + "' is unknown", "hartline fuzz --help lists them");
    return static_cast<fuzz::Category>(found - fuzz::kCategoryNames.begin());
}

fuzz::Campaign campaign_of(const po::variables_map& values) {
    const auto text = [&](const char* key) { return values[key].as<std::string>(); };
    const auto number = [&](const char* key) { return parse_count(std::string("--") + key, text(key)); };
    fuzz::Campaign campaign;
    if (text("category") != "all") campaign.categories = {category_of(text("category"))};
    for (std::size_t i = 0; campaign.categories.size() < fuzz::kCategories && text("category") == "all"; ++i)
        campaign.categories.push_back(static_cast<fuzz::Category>(i));
    campaign.seed = number("seed");
    campaign.programs = number("programs");
    campaign.length = number("length");
    campaign.against = fuzz::parse_engine(text("against"));
    RunConfig ours;
    ours.translate_after = static_cast<u32>(std::min<u64>(number("translate-after"), 0xffff'ffff));
    validate_translator(ours);
    campaign.against.translate_after = ours.translate_after;
    campaign.keep = text("keep");
    campaign.jobs = static_cast<unsigned>(std::min<u64>(number("jobs"), 256));
    campaign.seconds = static_cast<double>(number("seconds"));
    campaign.reduce = !values["no-reduce"].as<bool>();
    return campaign;
}

fuzz::Recipe recipe_of(const fuzz::Campaign& campaign, const po::variables_map& values) {
    fuzz::Recipe recipe{.seed = campaign.seed,
                        .category = campaign.categories[0],
                        .length = campaign.length,
                        .dialect = fuzz::dialect_of(campaign.against),
                        .exit = fuzz::exit_of(campaign.against)};
    if (values.count("exit") == 0) return recipe;
    const std::string how = values["exit"].as<std::string>();
    if (how != "htif" && how != "finisher")
        throw InputError("--exit", "'" + how + "' is unknown", "choose htif or finisher");
    recipe.exit = how == "htif" ? fuzz::Exit::Htif : fuzz::Exit::Finisher;
    return recipe;
}

void say(const std::string& line) { std::cout << line << std::endl; }

int run(const fuzz::Campaign& campaign) {
    const std::vector<fuzz::Tally> tallies = fuzz::run_campaign(campaign, say);
    bool bad = false;
    std::printf("%-12s %8s %14s %14s %10s %10s\n", "category", "programs", "random", "instructions",
                "different", "unfinished");
    for (std::size_t i = 0; i < tallies.size(); ++i) {
        const fuzz::Tally& t = tallies[i];
        std::printf("%-12s %8" PRIu64 " %14" PRIu64 " %14" PRIu64 " %10" PRIu64 " %10" PRIu64 "\n",
                    std::string(name(campaign.categories[i])).c_str(), t.programs, t.random_instructions,
                    t.instructions, t.different, t.unfinished);
        bad = bad || t.different != 0 || t.unfinished != 0;
    }
    return bad ? kExitDifferent : 0;
}

po::variables_map parse(std::span<const std::string> arguments) {
    po::variables_map values;
    try {
        po::store(po::command_line_parser(std::vector<std::string>(arguments.begin(), arguments.end()))
                      .options(options())
                      .positional({})
                      .run(),
                  values);
        po::notify(values);
    } catch (const po::error& error) {
        throw InputError("fuzz", error.what(), "hartline fuzz --help shows how");
    }
    return values;
}
}  // namespace

std::string fuzz_help() {
    std::ostringstream out;
    out << "hartline fuzz [options]: run random programs in the interpreter and elsewhere, and compare what they leave.\n"
           "\n"
           "A program follows from seed, category, length and --against. Exit code 1: some differ.\n"
           "\n"
        << options();
    return out.str();
}

int verb_fuzz(std::span<const std::string> arguments) {
    const po::variables_map values = parse(arguments);
    if (values["help"].as<bool>()) {
        std::cout << fuzz_help();
        return 0;
    }
    const fuzz::Campaign campaign = campaign_of(values);
    const fuzz::Recipe recipe = recipe_of(campaign, values);
    if (values["reduce"].as<bool>()) return fuzz::reduce_program(campaign, recipe, say) ? kExitDifferent : 0;
    if (values["list"].as<bool>()) {
        std::cout << fuzz::listing(fuzz::generate(recipe), {});
        return 0;
    }
    if (values.count("write") != 0) {
        write_file(values["write"].as<std::string>(), fuzz::build(fuzz::generate(recipe)));
        return 0;
    }
    return run(campaign);
}
}  // namespace hartline
