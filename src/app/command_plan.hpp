#pragma once

namespace CLI {
class App;
}

namespace polytrain {

// `polytrain plan CONFIG [--json] [--set a.b=c]...`: parameters, FLOPs and memory of a run, from
// the plan that training itself uses. Needs neither data nor memory.
void add_plan_command(CLI::App& app);

}  // namespace polytrain
