//! The queue through its public interface.
