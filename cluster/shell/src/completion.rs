//! What may follow in a half-typed line: the argument at its place decides.

use crate::command::{Line, MindView};
use clap::{CommandFactory, ValueEnum};
use rungs_types::{Authority, Level};

/// Levels of logs.
const LOG_LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// What an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Argument {
    Command,
    Agent,
    Node,
    NodeOrAgent,
    Actor,
    Level,
    Authority,
    Fault,
    View,
    GoalCommand,
    LogLevel,
    /// Anything, or nothing more.
    Other,
}

/// What the word after `before` may be; `word` is what is typed of it, `names` are those of nodes and actors.
pub fn candidates(before: &str, word: &str, names: &[String]) -> Vec<String> {
    let words: Vec<&str> = before.split_whitespace().collect();
    let Some((command, arguments)) = words.split_first() else {
        return of(Argument::Command, names);
    };
    if word.starts_with('-') {
        return options(command, arguments.first());
    }
    if arguments.last() == Some(&"--node") {
        return of(Argument::Node, names);
    }
    let place = arguments.iter().filter(|argument| !argument.starts_with('-')).count();
    // `inject stall spin X` is taken as `inject stall-spin X`.
    let place = match (*command, arguments) {
        ("inject", ["stall", _, ..]) => place - 1,
        _ => place,
    };
    of(argument(command, place), names)
}

fn argument(command: &str, place: usize) -> Argument {
    match (command, place) {
        ("help", 0) => Argument::Command,
        ("tree" | "agents", 0) => Argument::NodeOrAgent,
        (
            "agent" | "qualify" | "mind" | "goals" | "stop" | "activate" | "passivate" | "freeze" | "thaw"
            | "reset-identity" | "authority" | "watch",
            0,
        ) => Argument::Agent,
        ("qualify" | "freeze" | "thaw" | "authority", 1) => Argument::Level,
        ("mind", 1) => Argument::View,
        ("goal", 0) => Argument::GoalCommand,
        ("goal", 1) => Argument::Agent,
        ("authority", 2) => Argument::Authority,
        ("send" | "call" | "describe", 0) | ("inject", 1) => Argument::Actor,
        ("inject", 0) => Argument::Fault,
        ("links" | "drain" | "leave", 0) | ("move", 1) => Argument::Node,
        ("shards" | "move", 0) => Argument::Agent,
        ("log", 0) => Argument::LogLevel,
        _ => Argument::Other,
    }
}

fn of(argument: Argument, names: &[String]) -> Vec<String> {
    let is_node = |name: &String| names.contains(&format!("@{name}/admin"));
    let is_short = |name: &String| !name.starts_with('@') && !name.contains(['#', ':']);
    let named = |wanted: &dyn Fn(&String) -> bool| names.iter().filter(|name| wanted(name)).cloned().collect();
    match argument {
        Argument::Command => crate::command::names(),
        Argument::Agent => named(&|name| is_short(name) && !is_node(name)),
        Argument::Node => named(&is_node),
        Argument::NodeOrAgent => named(&is_short),
        Argument::Actor => named(&|name| !is_node(name)),
        Argument::Level => Level::ALL.iter().map(ToString::to_string).collect(),
        Argument::Authority => Authority::ALL.iter().map(ToString::to_string).collect(),
        Argument::Fault => subcommands("inject"),
        Argument::View => values::<MindView>(),
        Argument::GoalCommand => subcommands("goal"),
        Argument::LogLevel => LOG_LEVELS.map(str::to_owned).to_vec(),
        Argument::Other => Vec::new(),
    }
}

fn values<T: ValueEnum>() -> Vec<String> {
    let values = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    values.map(|value| value.get_name().to_owned()).collect()
}

fn subcommands(command: &str) -> Vec<String> {
    let line = Line::command();
    let known = line.find_subcommand(command).into_iter();
    let names = known.flat_map(|command| command.get_subcommands());
    names.map(|command| command.get_name().to_owned()).collect()
}

/// The options of a command, or of its subcommand, `--` first.
fn options(command: &str, first: Option<&&str>) -> Vec<String> {
    let line = Line::command();
    let known = line.find_subcommand(command);
    let inner = known
        .zip(first)
        .and_then(|(command, first)| command.find_subcommand(first));
    let options = inner.or(known).into_iter().flat_map(|command| command.get_arguments());
    options
        .filter_map(|option| Some(format!("--{}", option.get_long()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(line: &str) -> String {
        let names = ["n1", "@n1/admin", "ops-1", "ops-1#kernel", "user:greeter"].map(str::to_owned);
        let start = line.rfind(' ').map_or(0, |blank| blank + 1);
        candidates(&line[..start], &line[start..], &names).join(" ")
    }

    #[test]
    fn each_place_has_its_own_words() {
        for (line, expected) in [
            ("agent ", "ops-1"),
            ("qualify ", "ops-1"),
            ("freeze ops-1 ", "L3 L4.5 L4.8 L4.9 L6"),
            ("authority ops-1 L4.8 ", "frozen shadow advisory half full"),
            ("tree ", "n1 ops-1"),
            ("goal ", "show submit cancel"),
            ("goal show ", "ops-1"),
            (
                "mind ops-1 a",
                "strategies allocation scenarios capabilities votes projection values resources trust ass vetoes",
            ),
            ("qualify ops-1 ", "L3 L4.5 L4.8 L4.9 L6"),
            ("inject ", "panic stall-await stall-spin delay drop clear list"),
            ("inject delay ops-1#kernel --", "--ms"),
            ("links ", "n1"),
            ("inject stall spin ", "@n1/admin ops-1 ops-1#kernel user:greeter"),
            ("describe ", "@n1/admin ops-1 ops-1#kernel user:greeter"),
            ("log ", "error warn info debug trace"),
            ("log debug --node ", "n1"),
            ("spawn x --", "--env --rate --seed --particles --group --rests-after"),
            ("call ops-1 agent.status ", ""),
            ("nonsense ", ""),
        ] {
            assert_eq!(after(line), expected, "{line}");
        }
        assert!(after("").contains("freeze") && after("help fr").contains("freeze"));
    }
}
