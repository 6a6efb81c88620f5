#include "app/command_config.hpp"

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "app/output.hpp"
#include "config/load.hpp"

namespace polytrain {
void add_config_command(CLI::App& app, const std::function<const ActivationCatalog&()>& catalog) {
    CLI::App* config = app.add_subcommand("config", "What configs may say, and what one says");
    config->require_subcommand(1);

    CLI::App* schema = config->add_subcommand("schema", "Print the JSON Schema of configs");
    const CLI::Option* markdown =
        schema->add_flag("--markdown")->description("Print the page of the docs in its place");
    schema->callback([markdown, catalog] {
        print(markdown->count() > 0 ? config_markdown(catalog()) : config_schema(catalog()));
    });

    CLI::App* explain = config->add_subcommand("explain", "Tell what a key or section means");
    const CLI::Option* key =
        explain->add_option("KEY", "As in optimizer.lr; a section, as in model; or none, for all");
    explain->callback([key, catalog] {
        print(explain_key(key->count() > 0 ? key->as<std::string>() : "", catalog()));
    });

    CLI::App* show = config->add_subcommand(
        "show", "Print a config with all that it extends and every default filled in");
    const CLI::Option* path = show->add_option("CONFIG", "A JSON file")->required();
    const CLI::Option* overrides =
        show->add_option("--set", "Set one key, as in --set optimizer.lr=0.001; may come often")
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
            ->allow_extra_args(false);
    const CLI::Option* shrink =
        show->add_flag("--shrink")
            ->description("As `train --shrink` has it, for one rank (docs/experiments.md)");
    show->callback([path, overrides, shrink, catalog] {
        const ActivationCatalog& activations = catalog();
        const auto file = path->as<std::string>();
        print(emit_config(shrink->count() > 0
                              ? load_shrunk_config(file, overrides->results(), activations, 1)
                              : load_config(file, overrides->results(), activations),
                          activations));
    });
}

}  // namespace polytrain
