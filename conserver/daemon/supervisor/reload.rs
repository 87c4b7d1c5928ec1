//! A changed configuration: read, told, handed on.

use conserver_core::config::Problem;
use conserver_core::event::ConfigChanged;

use super::Supervisor;
use crate::telemetry;

impl Supervisor {
    /// Takes up a changed file, as far as it is sound: see [`conserver_core::config::rule`].
    pub(super) async fn reload(&mut self, asked: bool) {
        let file = match self.texts.changed(asked) {
            Ok(Some(file)) => file,
            Ok(None) => return,
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "cannot reload; the old configuration runs on");
                return;
            }
        };
        let loaded = file.load(&self.wiring);
        self.tell(&loaded.problems);
        let Some(plan) = loaded.for_reload(&self.plan) else {
            tracing::error!(config = file.name(), "the new configuration has errors; the old one runs on");
            ConfigChanged { outcome: "refused" }.emit();
            return;
        };
        for process in self.places.values().filter_map(|place| place.process.as_ref()) {
            process.configure(&file);
        }
        let stale = plan.chains.iter().filter_map(|chain| Some((&chain.name, chain.stale.as_ref()?)));
        for (chain, why) in stale {
            tracing::error!(%chain, why, "the chain runs on in its last good form until this is mended");
        }
        ConfigChanged { outcome: if plan.mistakes.is_empty() { "taken" } else { "in-part" } }.emit();
        tracing::info!(
            config = file.name(),
            chains = plan.chains.len(),
            "configuration handed to the workers"
        );
        let waits = plan.settings.waits_for_start(&self.at_start);
        if !waits.is_empty() {
            tracing::warn!(
                keys = waits.join(", "),
                "what these keys of the file say now counts from the next start"
            );
        }
        self.texts.take_up(file, &plan);
        self.plans.send_replace(plan.clone());
        self.plan = plan;
    }

    /// Logs what was not wrong with the file before, and how much was.
    fn tell(&mut self, problems: &[Problem]) {
        let is_known = |problem: &&Problem| self.told.iter().any(|told| told.says_as(problem));
        let (known, new): (Vec<_>, Vec<_>) = problems.iter().partition(is_known);
        new.into_iter().for_each(telemetry::logged);
        if !known.is_empty() {
            tracing::info!(problems = known.len(), "the configuration has problems that it had before");
        }
        self.told = problems.to_vec();
    }
}
