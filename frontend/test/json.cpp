// The results as JSON.
#include <nlohmann/json.hpp>

#include "frontend/test/report.hpp"

namespace hartline {
namespace {
using Json = nlohmann::ordered_json;

Json one(const Test& test, const TestResult& result) {
    Json json;
    json["name"] = test.file.name;
    json["group"] = test.file.group;
    json["path"] = test.file.path;
    json["verdict"] = name(result.verdict);
    json["reasons"] = result.reasons;
    const bool ran = result.trial.seconds > 0;
    const bool exited = ran && result.trial.ending.how == Ending::How::Exit;
    json["exit"] = exited ? Json(result.trial.ending.code) : Json();
    json["instructions"] = ran ? Json(result.trial.instructions) : Json();
    json["hash"] = ran ? Json(hash_text(result.trial.hash)) : Json();
    json["seconds"] = result.trial.seconds;
    if (result.verdict != Verdict::Passed) json["console"] = result.console;
    return json;
}
}  // namespace

std::string json_text(const Report& report) {
    Json json;
    json["hartline"] = HARTLINE_VERSION;
    for (const EngineKind engine : report.plan.engines) json["engines"].push_back(name(engine));
    json["summary"] = {{"tests", report.tests.size()},
                       {"passed", report.tests.size() - report.failed()},
                       {"failed", report.failed()},
                       {"jobs", report.plan.jobs},
                       {"seconds", report.seconds}};
    json["tests"] = Json::array();
    for (std::size_t i = 0; i < report.tests.size(); ++i)
        json["tests"].push_back(one(report.tests[i], report.results[i]));
    // What a guest wrote may be no UTF-8.
    return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}
}  // namespace hartline
