/// One import for a program that protects, verifies, restores or evaluates models.
///
/// Everything public of the rooms is visible through this module; no name is its own.
@_exported import Alignment
@_exported import Architectures
@_exported import Auditing
@_exported import Checkpoints
@_exported import Evaluation
@_exported import ForwardPass
@_exported import Foundations
@_exported import LinearAlgebra
@_exported import Merging
@_exported import Protections
@_exported import Rewriting
@_exported import Symmetries
@_exported import Verification
