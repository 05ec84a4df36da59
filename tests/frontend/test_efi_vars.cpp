// The file of EDK2's variables: only a variable store is written to.
#include "frontend/session/flash.hpp"
#include "support.hpp"

using namespace hartline;
using test::complaint_of;

TEST_CASE("only_a_variable_store_holds_variables", "[frontend][flash]") {
    const test::Folder folder;
    std::string store(4096, '\0');
    store.replace(40, 4, "_FVH");
    const LoaderFiles loader{.code = folder.file("code", "x"), .variables = folder.file("template", store)};
    const auto complaint = [&](const std::string& path) {
        return complaint_of([&] { (void)firmware_flash(loader, path); });
    };
    for (const std::string& text : {std::string(4096, 'x'), std::string("short")}) {
        const std::string initrd = folder.file("initrd", text);
        CHECK(complaint(initrd).find("is no variable store") != std::string::npos);
        CHECK(test::read_text(initrd) == text);
    }
    CHECK(complaint(folder.at("vars.fd,ro")).find("',ro' is for disks") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(folder.at("vars.fd,ro")));
    const std::string vars = folder.at("vars.fd");
    CHECK(complaint(vars).empty());  // made
    CHECK(complaint(vars).empty());  // and read again
    CHECK(test::read_text(vars).starts_with(store));
}
