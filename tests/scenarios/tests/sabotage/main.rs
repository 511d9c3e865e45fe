//! Each criterion of the fourteen (MSCP Level 4.8, section 11.1) and of the twenty (MSCP Level 4.9, section 12.1) tells a
//! sabotaged agent from a sound one.
//!
//! Each row of the two tables names what is sabotaged, where, and the criterion that must fail by it. `life`: a whole agent
//! is brought up wrong, from outside. `audit`: no world and no peer can do it, for the mind does not let it come to that or
//! the number is its own; the evidence of a sound life is forged at the audit's door.

mod l48;
mod l49;
mod table;
