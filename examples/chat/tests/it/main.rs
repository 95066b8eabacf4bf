//! The chat through real sockets on 127.0.0.1, on both kinds of runtime.

#[cfg(test)]
mod abuse;
#[cfg(test)]
mod conversations;
#[cfg(test)]
mod faulty;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod house_rules;
#[cfg(test)]
mod lifetime;
#[cfg(test)]
mod talk;
