import { gettext } from "./i18n.js";

const EXPLANATION = gettext(
  "Run this (Ctrl-Enter), then register a patient\n" +
    "in the admin or in another window.\n" +
    'onNewPatient(category: "X") is for one category.\n' +
    "With cursor and $after it goes on where it was\n" +
    "when the server comes back.",
);

const SUBSCRIPTION = `${EXPLANATION.replace(/^/gm, "# ")}
subscription NewPatients($after: String) {
  onNewPatient(after: $after) {
    cursor
    message
    patient {
      id
      name
      category {
        code
        name
      }
    }
  }
}
`;

const QUERY = `query Patients {
  patients(first: 20) {
    edges {
      node {
        id
        name
        status
        category {
          code
          name
        }
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
`;

const MUTATION = `mutation RegisterPatient {
  createPatient(
    input: {
      name: "Ada Example"
      category: "X"
      birthDate: "1985-12-10"
      sex: "female"
      reason: "Shortness of breath"
    }
  ) {
    patient {
      id
      name
      category {
        code
        name
      }
    }
    errors {
      field
      messages
    }
  }
}
`;

/** GraphiQL's tabs on a first visit; the first one is open. */
export const EXAMPLES = [{ query: SUBSCRIPTION }, { query: QUERY }, { query: MUTATION }];
