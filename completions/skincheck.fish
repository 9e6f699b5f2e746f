# Completion of skincheck for fish. Written by completions/generate from --help; change that, not this.

# Whether the command line is that of this command; it stands before all else, and "score" has no word.
function __skincheck_is
    set -l words (commandline -opc)
    if set -q words[2]; and contains -- $words[2] preprocess evaluate merge model
        test $argv[1] = $words[2]
    else
        test $argv[1] = score
    end
end

function __skincheck_first
    test (count (commandline -opc)) -eq 1
end

# Names of models: folders with a model.json, where skincheck looks for them.
function __skincheck_models
    set -l folders (string split : -- "$SKINCHECK_MODEL_PATH")
    if set -l program (command -s skincheck)
        set -a folders (dirname (dirname (realpath $program)))/share/skincheck/models
    end
    for folder in $folders
        for model in $folder/*/model.json
            basename (dirname $model)
        end
    end
end

complete -c skincheck -n __skincheck_first -a preprocess -d 'Writes what the network would see of each image'
complete -c skincheck -n __skincheck_first -a evaluate -d 'Measures scores against ground truth'
complete -c skincheck -n __skincheck_first -a merge -d 'Joins what runs with --shard 1/N to N/N wrote to what one run over all inputs would have written'
complete -c skincheck -n __skincheck_first -a model -d 'Tells what a model is'
complete -c skincheck -n '__skincheck_is model' -x -a '(__skincheck_models; __fish_complete_directories)'
complete -c skincheck -n '__skincheck_is score' -s 0 -l null -d 'Lists of paths are separated by NUL, not by newlines'
complete -c skincheck -n '__skincheck_is score' -l files-from -r -F -d 'Read paths from FILE too (\'-\': standard input)'
complete -c skincheck -n '__skincheck_is score' -l include -x -d 'In directories take only files that match GLOB'
complete -c skincheck -n '__skincheck_is score' -l exclude -x -d 'In directories leave out files and folders that match'
complete -c skincheck -n '__skincheck_is score' -l hidden -d 'In directories take names that begin with a dot too'
complete -c skincheck -n '__skincheck_is score' -l follow -d 'Enter symbolic links to directories'
complete -c skincheck -n '__skincheck_is score' -l allow-truncated -d 'Use JPEGs that end early too; their status stays truncated'
complete -c skincheck -n '__skincheck_is score' -l since -x -d 'Take files that changed at TIME or later: 2026-11-22, 2026-11-22T18:30'
complete -c skincheck -n '__skincheck_is score' -l settle -x -d 'Leave files that changed within SECONDS to the next run'
complete -c skincheck -n '__skincheck_is score' -l shard -x -d 'Score part I of N of the inputs; skincheck merge joins the parts'
complete -c skincheck -n '__skincheck_is score' -l model -x -a '(__skincheck_models; __fish_complete_directories)' -d 'The model: a package\'s folder, or its name'
complete -c skincheck -n '__skincheck_is score' -l threshold -x -d 'Malignant from here on: 0 to 1 or an operating point (default: the model\'s)'
complete -c skincheck -n '__skincheck_is score' -l tta -x -d 'Average over N views of an image, flipped and turned: 2, 4, 8 (default: 1)'
complete -c skincheck -n '__skincheck_is score' -s j -l jobs -x -d 'Images in work at the same time (default: one a core, as memory allows)'
complete -c skincheck -n '__skincheck_is score' -l device -x -a 'auto cpu cuda' -d 'auto, cpu, cuda or cuda:N (default: auto)'
complete -c skincheck -n '__skincheck_is score' -l engine -x -a 'auto opencv openvino' -d 'auto, opencv or openvino, on the CPU (default: auto)'
complete -c skincheck -n '__skincheck_is score' -l precision -x -a 'fp32 fp16 bf16' -d 'fp32, fp16 or bf16 (default: fp32)'
complete -c skincheck -n '__skincheck_is score' -l batch-size -x -d 'Images that go through the network together (default: cpu 1, cuda 32)'
complete -c skincheck -n '__skincheck_is score' -l format -x -a 'csv json jsonl isic' -d 'csv, json, jsonl or isic (default: by the ending of --output, else csv)'
complete -c skincheck -n '__skincheck_is score' -s o -l output -r -F -d 'Write to FILE, which is replaced at the end or when interrupted'
complete -c skincheck -n '__skincheck_is score' -l resume -d 'Go on where the last run on --output ended; keeps FILE.skincheck'
complete -c skincheck -n '__skincheck_is score' -l force -d 'With --resume: drop what is there and start over'
complete -c skincheck -n '__skincheck_is score' -l wait-lock -d 'With --resume: wait while another run writes --output'
complete -c skincheck -n '__skincheck_is score' -l anonymise-paths -r -F -d 'Write a keyed hash in place of each path'
complete -c skincheck -n '__skincheck_is score' -l path-map -r -F -d 'Add the hashes and their paths to FILE, which is kept private'
complete -c skincheck -n '__skincheck_is score' -s q -l quiet -d 'Say nothing but errors'
complete -c skincheck -n '__skincheck_is score' -s v -l verbose -d 'Say what is used, and name each failed input'
complete -c skincheck -n '__skincheck_is score' -l no-progress -d 'Show no progress on the terminal'
complete -c skincheck -n '__skincheck_is score' -s h -l help -d 'Print this help'
complete -c skincheck -n '__skincheck_is score' -s V -l version -d 'Print the versions and settings for a bug report'
complete -c skincheck -n '__skincheck_is preprocess' -s 0 -l null -d 'Lists of paths are separated by NUL, not by newlines'
complete -c skincheck -n '__skincheck_is preprocess' -l files-from -r -F -d 'Read paths from FILE too (\'-\': standard input)'
complete -c skincheck -n '__skincheck_is preprocess' -l include -x -d 'In directories take only files that match GLOB'
complete -c skincheck -n '__skincheck_is preprocess' -l exclude -x -d 'In directories leave out files and folders that match'
complete -c skincheck -n '__skincheck_is preprocess' -l hidden -d 'In directories take names that begin with a dot too'
complete -c skincheck -n '__skincheck_is preprocess' -l follow -d 'Enter symbolic links to directories'
complete -c skincheck -n '__skincheck_is preprocess' -l allow-truncated -d 'Use JPEGs that end early too; their status stays truncated'
complete -c skincheck -n '__skincheck_is preprocess' -l model -x -a '(__skincheck_models; __fish_complete_directories)' -d 'The model: a package\'s folder, or its name'
complete -c skincheck -n '__skincheck_is preprocess' -s j -l jobs -x -d 'Images in work at the same time (default: one a core, as memory allows)'
complete -c skincheck -n '__skincheck_is preprocess' -s o -l output -x -a '(__fish_complete_directories)' -d 'The folder for the PNG files; made if it is not there'
complete -c skincheck -n '__skincheck_is preprocess' -s q -l quiet -d 'Say nothing but errors'
complete -c skincheck -n '__skincheck_is preprocess' -s v -l verbose -d 'Say what is used, and name each failed input'
complete -c skincheck -n '__skincheck_is preprocess' -l no-progress -d 'Show no progress on the terminal'
complete -c skincheck -n '__skincheck_is preprocess' -s h -l help -d 'Print this help'
complete -c skincheck -n '__skincheck_is preprocess' -s V -l version -d 'Print the versions and settings for a bug report'
complete -c skincheck -n '__skincheck_is evaluate' -l truth -r -F -d 'Ground truth: a table of an ISIC challenge, HAM10000\'s, or any CSV'
complete -c skincheck -n '__skincheck_is evaluate' -l id-column -x -d 'Column of the truth with the image'
complete -c skincheck -n '__skincheck_is evaluate' -l label-column -x -d 'Column of the truth with the label'
complete -c skincheck -n '__skincheck_is evaluate' -l positive -x -d 'Labels or classes that are malignant (default: by the layout)'
complete -c skincheck -n '__skincheck_is evaluate' -l metadata -r -F -d 'CSV with more columns: age_approx, sex, lesion_id ...'
complete -c skincheck -n '__skincheck_is evaluate' -l metadata-id-column -x -d 'Column of the metadata with the image'
complete -c skincheck -n '__skincheck_is evaluate' -l results-id-column -x -d 'Column of the results with the image'
complete -c skincheck -n '__skincheck_is evaluate' -l score-column -x -d 'Column of the results with the score'
complete -c skincheck -n '__skincheck_is evaluate' -l strict -d 'Exit code 1 if any row stays out of the figures'
complete -c skincheck -n '__skincheck_is evaluate' -l threshold -x -d 'Malignant from this score on, 0 to 1 (default: the one in the results)'
complete -c skincheck -n '__skincheck_is evaluate' -l target-sensitivity -x -d 'Find the threshold that reaches it, and what to expect of it'
complete -c skincheck -n '__skincheck_is evaluate' -l target-specificity -x -d 'The same for specificity; both may be repeated'
complete -c skincheck -n '__skincheck_is evaluate' -l min-tpr -x -d 'Least sensitivity of the partial AUC (default: 0.8)'
complete -c skincheck -n '__skincheck_is evaluate' -l by -x -d 'The same figures for each value: sex, age_approx, diagnosis ...'
complete -c skincheck -n '__skincheck_is evaluate' -l bootstrap -x -d 'Resamples for the intervals; 0: DeLong\'s alone (default: 2000)'
complete -c skincheck -n '__skincheck_is evaluate' -l cluster -x -d 'Draw equal values together (default: patient_id, else lesion_id; or none)'
complete -c skincheck -n '__skincheck_is evaluate' -l seed -x -d 'Of the bootstrap (default: 1)'
complete -c skincheck -n '__skincheck_is evaluate' -s j -l jobs -x -d 'Threads (default: one a core)'
complete -c skincheck -n '__skincheck_is evaluate' -l format -x -a 'text json' -d 'text or json, with all digits (default: by --output\'s ending, else text)'
complete -c skincheck -n '__skincheck_is evaluate' -s o -l output -r -F -d 'Write to FILE, which is replaced when all is written'
complete -c skincheck -n '__skincheck_is evaluate' -l report -r -F -d 'Write a page with plots too, whole in itself'
complete -c skincheck -n '__skincheck_is evaluate' -l images -x -a '(__fish_complete_directories)' -d 'Folder of the images, for the report\'s thumbnails'
complete -c skincheck -n '__skincheck_is evaluate' -s q -l quiet -d 'Say nothing but errors'
complete -c skincheck -n '__skincheck_is evaluate' -s h -l help -d 'Print this help'
complete -c skincheck -n '__skincheck_is evaluate' -s V -l version -d 'Print the versions and settings for a bug report'
complete -c skincheck -n '__skincheck_is merge' -l format -x -a 'csv json jsonl isic' -d 'csv, json, jsonl or isic (default: by the ending of --output, else as the parts)'
complete -c skincheck -n '__skincheck_is merge' -s o -l output -r -F -d 'Write to FILE, which is replaced when all is written'
complete -c skincheck -n '__skincheck_is merge' -s q -l quiet -d 'Say nothing but errors'
complete -c skincheck -n '__skincheck_is merge' -s h -l help -d 'Print this help'
complete -c skincheck -n '__skincheck_is merge' -s V -l version -d 'Print the versions and settings for a bug report'
complete -c skincheck -n '__skincheck_is model' -s h -l help -d 'Print this help'
complete -c skincheck -n '__skincheck_is model' -s V -l version -d 'Print the versions and settings for a bug report'
