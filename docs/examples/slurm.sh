#!/bin/bash
# A search on four nodes of a Slurm cluster: sbatch slurm.sh, in a folder that all nodes share, with the clips in it.
# tvnsearch[ray] is installed in .venv there, with Ray 2.49 or later. The same command once more goes on with the run.
#SBATCH --job-name=tvnsearch
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --exclusive
#SBATCH --time=12:00:00
set -euo pipefail

cd "$SLURM_SUBMIT_DIR"
source .venv/bin/activate
export XDG_CACHE_HOME="$PWD/cache" # decoded clips, for all nodes

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
cores=$((SLURM_CPUS_PER_TASK - 2)) # two of each node are left alone: on the first one they are what is measured

# Ray's own launcher starts Ray on every node and the command on the first, when all nodes are there.
srun --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_JOB_NUM_NODES" --cpus-per-task="$SLURM_CPUS_PER_TASK" \
    ray symmetric-run --address "$head:6379" --min-nodes "$SLURM_JOB_NUM_NODES" --num-cpus="$cores" -- \
    bash -ec '
        tvnsearch profile --device cpu --threads 2 --minutes 10 --max-ms 50 --db latency.sqlite
        tvnsearch evolve --device cpu --threads 2 --max-ms 50 --data clips --minutes 600 --db latency.sqlite \
            --run runs/mine --workers 12 --executor ray --address auto
    '
