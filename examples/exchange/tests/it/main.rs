//! The exchange from outside: its engine against a naive one, and its sockets against plain clients.

#[cfg(test)]
mod abuse;
#[cfg(test)]
mod client;
#[cfg(test)]
mod differential;
#[cfg(test)]
mod floor;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod trading;
