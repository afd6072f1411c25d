//! Guests with an emulated network card and console, beside their IOMMU and behind it, next to an assigned disk; a card with two
//! pairs of queues; a console on the terminal, over which the guest's whole conversation goes.

use super::Scenario;
use crate::report::Report;

const CARD: &str = "tap-name=tap0,mac=02:00:00:00:00:07";
const CONSOLE: &str = "type=file,path=/run/hvc0,hardware=virtio-console,input=/run/typed";

const TERMINAL: &str = "type=stdout,hardware=virtio-console,stdin,iommu=viommu";
/// Pairs of queues, and processors that use one each.
const PAIRS: u32 = 2;

/// All of them.
pub(super) fn all() -> Vec<Scenario> {
    let mut pairs = scenario("wire-pairs", "viommu", 2);
    pairs.guest.cpus = PAIRS;
    pairs.guest.options[1] = format!("{CARD},iommu=viommu,vq-pairs={PAIRS}");
    vec![scenario("wire", "off", 0), scenario("wire-viommu", "viommu", 2), pairs, terminal()]
}

/// From its first action on the guest talks and listens through a virtio-console; if either way were closed, nobody would
/// answer it, or nothing of it would be heard.
fn terminal() -> Scenario {
    let mut scenario = Scenario::new("terminal", "");
    scenario.guest.actions.insert(0, "terminal");
    scenario.guest.options = ["--serial", TERMINAL].map(str::to_owned).into();
    scenario.emulated = 1;
    scenario
}

fn scenario(name: &str, place: &str, endpoints: usize) -> Scenario {
    let mut scenario = Scenario::new(name, "");
    scenario.guest.actions.push("wire");
    let [card, console] = [CARD, CONSOLE].map(|device| format!("{device},iommu={place}"));
    scenario.guest.options = vec!["--net".into(), card, "--serial".into(), console];
    scenario.emulated = endpoints;
    scenario
}

/// What does not hold of card and console.
pub(super) fn failures(scenario: &Scenario, report: &Report) -> Vec<String> {
    if !scenario.guest.actions.contains(&"wire") {
        return Vec::new();
    }
    let wanted = [("mac", "02:00:00:00:00:07"), ("ping", "ok"), ("received", "ok"), ("sent", "ok")];
    let mut failures = Vec::new();
    for (word, answer) in wanted {
        let said = report.emulated.get(word);
        if said.map(String::as_str) != Some(answer) {
            failures.push(format!("emulated card and console: {word} is {said:?}, expected {answer}"));
        }
    }
    failures.extend(silent_queues(scenario, report));
    let groups = report.groups.iter().filter(|group| group.driver == "virtio-pci").count();
    if groups != scenario.emulated {
        failures.push(format!("{groups} emulated devices have a group, expected {}", scenario.emulated));
    }
    failures
}

/// Each pair of a card with several has brought packets in: an interrupt for each queue that receives.
fn silent_queues(scenario: &Scenario, report: &Report) -> Vec<String> {
    if !scenario.guest.options.iter().any(|option| option.contains("vq-pairs")) {
        return Vec::new();
    }
    let heard = |queue: &u32| {
        let name = format!("-input.{queue}");
        report.vectors.iter().any(|vector| vector.name.ends_with(&name) && vector.taken > 0)
    };
    let silent = (0..PAIRS).filter(|queue| !heard(queue));
    silent.map(|queue| format!("nothing came in on queue {queue} of the card")).collect()
}

#[cfg(test)]
mod tests;
