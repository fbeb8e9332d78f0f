import Checkpoints
import Foundations
import TestSupport
import Testing

/// The keys that `--json` prints, and their order: programs read them.
@Suite struct ReportKeyTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func report(_ words: String...) throws -> JSONValue {
        try JSONDocument(parsing: Array(try CommandRunner.run(words + ["--json"]).output.utf8)).root
    }

    /// Keys of an object, or of the first object of a list.
    private func keys(_ value: JSONValue?) -> String {
        ((value?.array?.first ?? value)?.object?.members ?? []).map(\.key).joined(separator: " ")
    }

    @Test func keysStay() throws {
        let (model, locked, key) = (Fixtures.path("mixtral"), folder("locked"), folder("key"))
        #expect(try CommandRunner.run("keygen", "-o", key).code == 0)
        let inspect = try report("inspect", model)
        #expect(
            keys(inspect)
                == "architecture model_type tensors files types dimensions sites limits opaque_parts evaluable methods "
                + "output_bytes left_out refused notes protected")
        #expect(keys(inspect["sites"]) == "kind count group parameters")
        #expect(
            keys(inspect["methods"])
                == "method sampler condition needs default sites rewritten_bytes predicted_rounding_multiple "
                + "predicted_compute_seconds predicted_peak_bytes")
        #expect(
            keys(try report("protect", model, "-o", locked, "--method", "full", "--key", key))
                == "output method sampler condition steps residual changed cost key_id nonce sites rewritten_tensors rewritten_bytes "
                + "tensor_bytes predicted_rounding_multiple powers_of_two_dropped left_out seconds core_type")
        #expect(
            keys(try report("restore", locked, "-o", folder("back"), "--key", key))
                == "output method key_id sites tensor_bytes authenticated proved tensors identical_tensors "
                + "unchanged_files changes changed seconds")
        #expect(
            keys(try report("doctor"))
                == "version openblas core_type pin pin_below_cpu cpu_vector_bits cores")
        try Files.write(
            "merge_method: linear\nmodels: [{model: \(model), parameters: {weight: 1}}]", to: folder("merge.yml"))
        #expect(
            keys(try report("merge", folder("merge.yml"), "-o", folder("merged")))
                == "output method models tensors bytes seconds")
        let verify = try report("verify", model, locked)
        #expect(
            keys(verify)
                == "same_function architecture worst_invariant_error tolerance displacement displacement_of_moved "
                + "displacement_by_kind sites unmoved_sites zero_sites failed_sites problems differences opaque_parts results outputs"
        )
        #expect(
            keys(verify["results"])
                == "path kind layer invariant_error tolerance rounding_multiple allowed_multiple moved zero holds worst"
        )
        let outputs = verify["outputs"]
        #expect(
            keys(outputs)
                == "same_function precision output drift rounding_floor drift_over_floor tolerance_multiple "
                + "tolerance_absolute first_fault not_finite routing layers")
        for outcome in ["drift", "rounding_floor"] {
            #expect(
                keys(outputs?[outcome])
                    == "relative_error largest_error mean_divergence largest_divergence rows decided_rows "
                    + "agreeing_rows largest_similarity_change")
        }
        #expect(
            keys(outputs?["routing"]) == "decisions turned turned_share turned_by_rounding turned_beyond_rounding")
        #expect(keys(outputs?["layers"]) == "name drift rounding_floor own_drift own_rounding_floor")
    }
}
