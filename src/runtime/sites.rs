//! How many tasks of each spawn site are alive, counted by the hooks of one runtime without a lock.
//!
//! A spawn and an end each find the site's place by the address of its location and add one. Two facts of Tokio shape it:
//! the end hook also fires for closures of `spawn_blocking` and for the workers' own tasks, whose spawn was never told, so
//! an end without a place is ignored; and one source line can have several locations in memory, so readers add up places
//! of equal locations.

use std::panic::Location;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::capture::sys::AtomicStatic;

/// Spawn sites counted in one runtime, 4 KiB; larger services have some dozens. Tasks of further sites are counted
/// together.
const SITES_LEN_MAX: usize = 128;

/// Places tried for a site, so that a full table costs a spawn no more than some dozen loads.
const PROBES_MAX: usize = 16;

const _: () = assert!(SITES_LEN_MAX.is_power_of_two());

/// The live tasks of one runtime by spawn site.
#[derive(Debug)]
pub(crate) struct Sites {
    places: Box<[Place]>,
    unplaced: AtomicU64,
}

#[derive(Debug)]
struct Place {
    /// Address of the location; 0 while free.
    key: AtomicUsize,
    site: AtomicStatic<Location<'static>>,
    spawned: AtomicU64,
    ended: AtomicU64,
}

impl Default for Sites {
    fn default() -> Self {
        let free = || Place {
            key: AtomicUsize::new(0),
            site: AtomicStatic::new(),
            spawned: AtomicU64::new(0),
            ended: AtomicU64::new(0),
        };
        Self {
            places: std::iter::repeat_with(free).take(SITES_LEN_MAX).collect(),
            unplaced: AtomicU64::new(0),
        }
    }
}

impl Sites {
    /// A task is spawned.
    #[inline]
    pub(crate) fn spawned(&self, site: &'static Location<'static>) {
        match self.place_for(site) {
            Some(place) => place.spawned.fetch_add(1, Ordering::Relaxed),
            None => self.unplaced.fetch_add(1, Ordering::Relaxed),
        };
    }

    /// A task has ended.
    #[inline]
    pub(crate) fn ended(&self, site: &'static Location<'static>) {
        if let Some(place) = self.probe(site).find(|place| place.holds(site)) {
            place.ended.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Live tasks of every site.
    pub(crate) fn alive(&self) -> Vec<(&'static Location<'static>, u64)> {
        let mut alive: Vec<(&'static Location<'static>, u64)> = Vec::new();
        for place in &self.places {
            let Some(site) = place.site.load() else {
                continue;
            };
            // In this order: a task that ends in between must not make the count negative.
            let ended = place.ended.load(Ordering::Acquire);
            let live = place.spawned.load(Ordering::Relaxed).saturating_sub(ended);
            match alive.iter_mut().find(|(known, _)| *known == site) {
                Some((_, sum)) => *sum += live,
                None => alive.push((site, live)),
            }
        }
        alive
    }

    /// Tasks whose site found no place.
    pub(crate) fn unplaced(&self) -> u64 {
        self.unplaced.load(Ordering::Relaxed)
    }

    fn place_for(&self, site: &'static Location<'static>) -> Option<&Place> {
        self.probe(site)
            .find(|place| place.holds(site) || place.take(site))
    }

    fn probe(&self, site: &'static Location<'static>) -> impl Iterator<Item = &Place> {
        let start = hash(address(site));
        (0..PROBES_MAX).map(move |step| &self.places[(start + step) % SITES_LEN_MAX])
    }
}

impl Place {
    #[inline]
    fn holds(&self, site: &'static Location<'static>) -> bool {
        self.key.load(Ordering::Relaxed) == address(site)
    }

    /// Takes a free place; also true if another thread has just taken it for the same site.
    #[cold]
    fn take(&self, site: &'static Location<'static>) -> bool {
        let taken =
            self.key
                .compare_exchange(0, address(site), Ordering::Relaxed, Ordering::Relaxed);
        match taken {
            Ok(_) => self.site.store(site),
            Err(other) => return other == address(site),
        }
        true
    }
}

fn address(site: &'static Location<'static>) -> usize {
    std::ptr::from_ref(site).addr()
}

/// Locations lie next to each other in read-only data, 24 bytes each (Fibonacci hashing spreads them).
fn hash(address: usize) -> usize {
    let spread = (address as u64 >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    usize::try_from(spread).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(sites: &Sites, site: &'static Location<'static>) -> u64 {
        let found =
            |(known, live): (&'static Location<'static>, u64)| (known == site).then_some(live);
        sites.alive().into_iter().find_map(found).unwrap_or(0)
    }

    /// Spawns and ends are counted by site; an end whose spawn was never told counts nowhere.
    #[test]
    fn counts_by_site() {
        let sites = Sites::default();
        let (a, b, never) = (Location::caller(), here(), here());
        for _ in 0..3 {
            sites.spawned(a);
        }
        sites.spawned(b);
        sites.ended(a);
        sites.ended(never);
        assert_eq!((live(&sites, a), live(&sites, b)), (2, 1));
        assert_eq!(sites.alive().len(), 2);
    }

    /// Threads that count at the same time lose nothing, also while the place is being taken.
    #[test]
    fn threads_lose_nothing() {
        let sites = Sites::default();
        let site = here();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        sites.spawned(site);
                        sites.ended(site);
                    }
                    sites.spawned(site);
                });
            }
        });
        assert_eq!((live(&sites, site), sites.unplaced()), (4, 0));
    }

    /// More sites than places: what does not fit is counted together, what has a place stays right.
    #[test]
    fn a_full_table_says_so() {
        let sites = Sites::default();
        let many: Vec<&'static Location<'static>> = std::iter::repeat_with(|| {
            let location: &'static Location<'static> = Box::leak(Box::new(*here()));
            location
        })
        .take(4 * SITES_LEN_MAX)
        .collect();
        many.iter().for_each(|site| sites.spawned(site));
        let placed: u64 = sites.alive().iter().map(|(_, live)| live).sum();
        assert_eq!(
            placed + sites.unplaced(),
            u64::try_from(many.len()).unwrap()
        );
        assert!(placed >= 100, "{placed}");
    }

    #[track_caller]
    fn here() -> &'static Location<'static> {
        Location::caller()
    }
}
