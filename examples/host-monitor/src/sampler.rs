//! Reads this machine through `sysinfo`.
//!
//! Reading blocks for as long as the system takes: call it where that is allowed (`spawn_blocking`).

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use sysinfo::{CpuRefreshKind, Disks, MemoryRefreshKind, Networks, RefreshKind, System};

use crate::{
    names::{self, Distinct},
    readings::{Cpu, Disk, Load, Memory, Network, Reading, Value, per_second, percent, tenths},
};

/// Interfaces, and disks, that are published at most, the first by name: a host of containers may have thousands.
const PARTS_MAX: usize = 32;

/// What is known of the machine between two readings.
#[derive(Debug)]
pub struct Sampler {
    system: System,
    networks: Networks,
    disks: Disks,
    looked: Instant,
}

impl Sampler {
    /// Looks at the machine for the first time. Wait [`sysinfo::MINIMUM_CPU_UPDATE_INTERVAL`] before the first
    /// [`Sampler::read`]: how busy a processor is only shows between two looks.
    ///
    /// # Errors
    /// The system doesn't let itself be read.
    pub fn new() -> Result<Self, sysinfo::Error> {
        let kinds = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing().with_usage())
            .with_memory(MemoryRefreshKind::everything());
        Ok(Self {
            system: System::new_with_specifics(kinds)?,
            networks: Networks::new_with_refreshed_list()?,
            disks: Disks::new_with_refreshed_list()?,
            looked: Instant::now(),
        })
    }

    /// Everything now; rates are over the time since the look before. What the system doesn't tell is left out.
    pub fn read(&mut self) -> Vec<Reading> {
        let elapsed = self.looked.elapsed();
        self.looked = Instant::now();
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        self.networks.refresh(true);
        self.disks.refresh(true);

        let mut readings = vec![
            Reading { levels: "cpu".into(), value: Value::Cpu(self.cpu()) },
            Reading { levels: "memory".into(), value: Value::Memory(self.memory()) },
        ];
        if let Ok(load) = System::load_average() {
            let load = Load { one: load.one, five: load.five, fifteen: load.fifteen };
            readings.push(Reading { levels: "load".into(), value: Value::Load(load) });
        }
        readings.extend(self.networks(elapsed));
        readings.extend(self.disks(elapsed));
        readings
    }

    fn cpu(&self) -> Cpu {
        let bounded = |percent: f32| tenths(f64::from(percent).clamp(0.0, 100.0));
        Cpu {
            percent: bounded(self.system.global_cpu_usage()),
            cores: self.system.cpus().iter().map(|cpu| bounded(cpu.usage())).collect(),
        }
    }

    fn memory(&self) -> Memory {
        let (used_bytes, total_bytes) = (self.system.used_memory(), self.system.total_memory());
        Memory {
            percent: percent(used_bytes, total_bytes),
            used_bytes,
            total_bytes,
            swap_used_bytes: self.system.used_swap(),
            swap_total_bytes: self.system.total_swap(),
        }
    }

    fn networks(&self, elapsed: Duration) -> Vec<Reading> {
        let sorted: BTreeMap<_, _> = self.networks.iter().collect();
        let mut distinct = Distinct::default();
        let readings = sorted.into_iter().take(PARTS_MAX).map(|(name, data)| {
            let name = distinct.give(names::level(&name.to_string_lossy(), "interface"));
            let value = Network {
                received_bytes_per_second: per_second(data.received(), elapsed),
                sent_bytes_per_second: per_second(data.transmitted(), elapsed),
                received_bytes: data.total_received(),
                sent_bytes: data.total_transmitted(),
            };
            Reading { levels: format!("network/{name}"), value: Value::Network(value) }
        });
        readings.collect()
    }

    fn disks(&self, elapsed: Duration) -> Vec<Reading> {
        // One device may be mounted at several places (in containers even on single files): the shortest path counts.
        let mut by_device = BTreeMap::new();
        for disk in self.disks.iter().filter(|disk| disk.total_space() > 0) {
            let mount = disk.mount_point().to_string_lossy().into_owned();
            let kept =
                by_device.entry((disk.name(), disk.total_space())).or_insert_with(|| (mount.clone(), disk));
            if mount.len() < kept.0.len() {
                *kept = (mount, disk);
            }
        }
        let by_mount: BTreeMap<_, _> = by_device.into_values().collect();
        let mut distinct = Distinct::default();
        let readings = by_mount.into_iter().take(PARTS_MAX).map(|(mount, disk)| {
            let used_bytes = disk.total_space().saturating_sub(disk.available_space());
            let usage = disk.usage();
            let name = distinct.give(names::disk(&mount));
            let value = Disk {
                mount,
                percent: percent(used_bytes, disk.total_space()),
                used_bytes,
                total_bytes: disk.total_space(),
                read_bytes_per_second: per_second(usage.read_bytes, elapsed),
                written_bytes_per_second: per_second(usage.written_bytes, elapsed),
            };
            Reading { levels: format!("disk/{name}"), value: Value::Disk(value) }
        });
        readings.collect()
    }
}

/// This machine's name as a topic level.
pub fn host_level() -> String {
    let identity = format!("{:?} {:?}", System::boot_time().ok(), System::kernel_version().ok());
    names::host(System::host_name().ok().as_deref(), &identity)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn readings() -> Vec<Reading> {
        Sampler::new().unwrap().read()
    }

    #[test]
    fn memory_and_processors_are_those_of_this_machine() {
        let readings = readings();
        let [Value::Cpu(cpu), Value::Memory(memory)] = [&readings[0].value, &readings[1].value] else {
            panic!("processor and memory come first: {readings:?}");
        };
        assert!(cpu.cores.len() >= std::thread::available_parallelism().unwrap().get(), "{cpu:?}");
        assert!(memory.used_bytes > 0 && memory.used_bytes <= memory.total_bytes, "{memory:?}");
    }

    #[test]
    fn no_two_readings_share_a_topic() {
        let readings = readings();
        let topics: HashSet<&str> = readings.iter().map(|reading| reading.levels.as_str()).collect();
        assert_eq!(topics.len(), readings.len());
    }

    #[test]
    fn a_host_has_the_same_level_each_time() {
        assert_eq!(host_level(), host_level());
    }
}
